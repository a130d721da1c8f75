-- Expressions over table t; each is run as written and as the czar writes it back, and must give the same values.
-- t (id bigint, ra double, f float, i int, s varchar(10), c char(3), d decimal(10,3), dt datetime, b bit(1), y smallint)

-- literals
0x41 + 0, x'41', X'42', 0x4142, b'101' + 0, 0b11 + 0
35., .5, 1e-32, 1E3, 12345678901234567890123, 1.50, 007
'it\'s', 'a\nb', 'tab\t', 'a\\b', 'q''q', "dq", "d""q", 'a\%b\_c', 'x\zy', ''
_latin1'abc' COLLATE latin1_swedish_ci, N'abc', 'a' 'b'
TRUE, FALSE, NULL, TRUE + 1
DATE '2020-01-01', TIMESTAMP '2020-01-01 10:00:00', TIME '10:00:00', DATE'2020-02-02'

-- operators and their precedence
i DIV 2, i MOD 3, i % 4, MOD(i, 3), ra MOD 3, -i DIV 2, - -i, +i
! i, ! i = id, NOT i = id, NOT i + 1, !(i = 3) + 1, NOT NOT i
i || 0 && y, i OR 0 AND y, (i OR 0) AND y, i XOR y, i XOR y AND 0, NOT i OR y
i ^ 3 | 4 & 6 << 1, 2 * 3 ^ 1, i | 1 & 2, ~i & 255, 1 << 2 + 1, i >> 1, 5 & 3 = 1, 7 - 2 & 3
i <=> NULL, i <> 3, i != 3, NOT i <=> 3, i <=> 3 = 1
i BETWEEN 1 AND 3 AND y, i NOT BETWEEN 1 AND 3, i NOT BETWEEN 1 AND 3 = 0, NOT i BETWEEN 1 AND 3
i IN (1, 2, 3, NULL), i NOT IN (1, 2), i NOT IN (1, 2) = 0, (i, y) IN ((3, 1), (4, 2)), (i, y) = (3, 1)
s IS NULL, s IS NOT NULL, s IS NULL = 0, i IS TRUE, i IS NOT FALSE, i IS UNKNOWN, i IS NOT UNKNOWN, (i IS TRUE) + 1
s LIKE 'a%', s LIKE 'a\%', s LIKE 'a|%' ESCAPE '|', s NOT LIKE '%c', s LIKE BINARY 'A%', NOT s LIKE 'a%'
s REGEXP '^a', s NOT REGEXP 'z$', s RLIKE 'b', s REGEXP '^a' = 0, s SOUNDS LIKE 'abc'
BINARY s = 'ABC', s = 'ABC', s COLLATE latin1_bin = 'ABC', s < 'b' AND s > 'A'
i / 3, i / 0, 10 / 4 * 2, 10 - 4 - 3, 2 - -2, d / 7, d * d, 1 / 3 * 3, i * -1
CASE i WHEN 3 THEN 'x' ELSE 'y' END, CASE WHEN i > 3 THEN 1 WHEN i IS NULL THEN 2 END, CASE WHEN i THEN ra END + 1

-- functions that sqlglot would rename or rewrite
LOG10(ra), LOG(ra), LOG(2, ra), LOG2(ra), LN(ra), POW(2, 10), POWER(2, 3), EXP(1), SQRT(ra), SIGN(i), PI()
ROUND(ra), ROUND(ra, 1), ROUND(d, 2), TRUNCATE(ra, 0), FLOOR(ra), CEIL(ra), CEILING(ra), ABS(-i), FLOOR(d), GREATEST(i, y), LEAST(i, 1)
IF(i > 3, 'a', 'b'), IFNULL(s, 'none'), NULLIF(i, 3), COALESCE(s, c), ISNULL(s), NVL(s, 'x'), NVL2(s, 1, 2)
LEFT(s, 2), RIGHT(s, 2), SUBSTRING(s, 2), SUBSTRING(s FROM 2 FOR 1), SUBSTR(s, -1), MID(s, 1, 2), SUBSTRING_INDEX(s, 'b', 1)
TRIM(s), TRIM(BOTH 'a' FROM s), TRIM(LEADING 'a' FROM s), LTRIM(s), RTRIM(s), LPAD(s, 5, '*'), RPAD(s, 5, '*'), SPACE(2)
INSERT(s, 1, 1, 'zz'), REPLACE(s, 'b', 'B'), REPEAT(s, 2), REVERSE(s), CONCAT(s, c), CONCAT_WS('-', s, c), CHAR(65, 66), CHAR(65 USING latin1)
LENGTH(s), CHAR_LENGTH(s), BIT_LENGTH(s), OCTET_LENGTH(s), ASCII(s), ORD(s), LOWER(s), UPPER(s), LCASE(s), UCASE(s), HEX(s), UNHEX('4142'), HEX(i), BIN(i), OCT(i), CONV(i, 10, 2)
INSTR(s, 'b'), LOCATE('b', s), LOCATE('b', s, 2), POSITION('b' IN s), FIELD(i, 1, 2, 3), ELT(2, 'a', 'b'), FIND_IN_SET('b', 'a,b'), STRCMP(s, 'abd'), QUOTE(s), SOUNDEX(s), FORMAT(ra, 2)
MD5(s), SHA1(s), SHA(s), SHA2(s, 256), CRC32(s), TO_BASE64(s)
DATE_FORMAT(dt, '%Y-%m-%d %H:%i:%s %T %W %j'), STR_TO_DATE('03/04/2020', '%d/%m/%Y'), TIME_FORMAT(dt, '%H %i')
DATE_ADD(dt, INTERVAL 1 DAY), DATE_SUB(dt, INTERVAL '1:30' HOUR_MINUTE), dt + INTERVAL 2 HOUR, dt - INTERVAL i MINUTE, ADDDATE(dt, 3), SUBDATE(dt, INTERVAL 1 MONTH), INTERVAL 1 YEAR + dt
YEAR(dt), MONTH(dt), DAY(dt), DAYOFMONTH(dt), DAYOFWEEK(dt), DAYOFYEAR(dt), WEEKDAY(dt), WEEK(dt), WEEK(dt, 3), YEARWEEK(dt), QUARTER(dt), HOUR(dt), MINUTE(dt), SECOND(dt), MICROSECOND(dt), MONTHNAME(dt), DAYNAME(dt)
TO_DAYS(dt), FROM_DAYS(737791), UNIX_TIMESTAMP(dt), FROM_UNIXTIME(1577836800), LAST_DAY(dt), MAKEDATE(2020, 32), TO_SECONDS(dt), SEC_TO_TIME(3661), TIME_TO_SEC('01:01:01'), DATEDIFF(dt, '2019-12-25')
TIMESTAMPDIFF(DAY, '2019-12-25', dt), TIMESTAMPDIFF(SQL_TSI_HOUR, '2019-12-25', dt), TIMESTAMPADD(WEEK, 1, dt), DATE(dt), TIME(dt), TIMEDIFF(dt, dt), EXTRACT(YEAR_MONTH FROM dt), PERIOD_ADD(202001, 2), PERIOD_DIFF(202003, 202001), TIMESTAMP(dt), TIMESTAMP(dt, '01:00:00')
CAST(ra AS SIGNED), CAST(i AS UNSIGNED), CAST(ra AS CHAR), CAST(s AS CHAR(2)), CAST(ra AS DECIMAL(10, 2)), CAST('2020-01-02' AS DATE), CAST('2020-01-02 03:04:05' AS DATETIME), CAST(d AS DOUBLE), CAST(s AS BINARY(2)), CAST(ra AS FLOAT), CAST(dt AS TIME), CAST(i AS INTEGER), CAST(ra AS DECIMAL)
CONVERT(ra, SIGNED), CONVERT(s USING latin1), CONVERT(ra, CHAR), CONVERT(i, DECIMAL(5, 1))
RADIANS(ra), DEGREES(ra), SIN(ra), COS(ra), TAN(ra), ASIN(0.5), ACOS(0.5), ATAN(ra), ATAN(ra, 2), ATAN2(ra, 2), COT(ra)
BIT_COUNT(i), INET_ATON('1.2.3.4'), JSON_EXTRACT('{"a": 1}', '$.a'), JSON_VALUE('{"a": 1}', '$.a'), NAME_CONST('n', 5), INTERVAL(i, 1, 2, 3)
DECODE_ORACLE(i, 3, 'three', 'other'), MAKE_SET(3, 'a', 'b'), EXPORT_SET(5, 'Y', 'N', ',', 4), CHARSET(s), COLLATION(s), COERCIBILITY(s)

-- aggregates
COUNT(*), COUNT(i), COUNT(ALL i), COUNT(DISTINCT i), COUNT(DISTINCT i, y), SUM(i), SUM(ALL i), SUM(DISTINCT i), AVG(i), AVG(DISTINCT i), MIN(s), MAX(ra)
STD(i), STDDEV(i), STDDEV_POP(i), STDDEV_SAMP(i), VARIANCE(i), VAR_POP(i), VAR_SAMP(i), BIT_AND(i), BIT_OR(i), BIT_XOR(i)
GROUP_CONCAT(s), GROUP_CONCAT(DISTINCT s ORDER BY s DESC SEPARATOR '-'), GROUP_CONCAT(s, c ORDER BY id SEPARATOR ''), JSON_ARRAYAGG(i)
ROUND(AVG(ra), 1), COUNT(*) / 2, MAX(ra) - MIN(ra), SUM(i = 3), SUM(IF(i > 3, 1, 0)), -SUM(i), COUNT(*) DIV 2
-- comparisons bind alike, from left to right; intervals and several arguments stay as they are
1 <=> y < 2, y <=> i <= 3, 2 = i < 3, i <> y = 1, 0 = i IS NULL, i IS NULL <=> 0, NOT i <=> y > 0
s SOUNDS LIKE 'abc' = 1, 1 = s SOUNDS LIKE 'abd', s SOUNDS LIKE 'abc' IS TRUE
dt + INTERVAL 1.5 DAY, dt + INTERVAL '1.5' DAY, dt - INTERVAL (i + 1) * 2 HOUR, dt + INTERVAL 1 DAY + 5, INTERVAL (1 + 1) DAY + dt, INTERVAL(i, 2, 4) + 1
GROUP_CONCAT(DISTINCT i, id ORDER BY i, id), GROUP_CONCAT(i ORDER BY id DESC LIMIT 1), GROUP_CONCAT(i, s ORDER BY id SEPARATOR ';' LIMIT 1 OFFSET 1), GROUP_CONCAT(DISTINCT 1, id * 10, 23 SEPARATOR '')
GROUP_CONCAT(12 - id * 2, i ORDER BY 1), GROUP_CONCAT(id, 12 - id * 2 ORDER BY 2), GROUP_CONCAT(id, s, i ORDER BY (3) DESC), GROUP_CONCAT(DISTINCT i, 12 - id * 2 ORDER BY 2)
TIME'10:00:00.5', TIMESTAMP '2020-01-01 00:00:00.123', DATE"2020-01-02", dt > TIMESTAMP'2020-01-01 10:11:11.5'
