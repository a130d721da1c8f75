-- class: alerts
-- description: Objects within an arcsecond of one of 100 positions
-- why: the match of a list that a user brings, here as conditions in the statement (lsdb issue 1533)
-- schemas: [synth, dp1]
-- parameters:
--   places: {type: positions, count: 100, scatter_arcsec: 0.2}
-- lsdb: a form has one cone
SELECT o.{{ Detected.id }}, o.{{ Detected.ra }}, o.{{ Detected.decl }}
FROM {{ Detected.table }} o
WHERE {% for one in places %}{{ "" if loop.first else " OR " }}(o.{{ Detected.decl }} BETWEEN {{ one.decl - 0.000278 }} AND {{ one.decl + 0.000278 }} AND scisql_angSep(o.{{ Detected.ra }}, o.{{ Detected.decl }}, {{ one.ra }}, {{ one.decl }}) < 0.0002777777777777778){% endfor %}
