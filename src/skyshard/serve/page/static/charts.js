// The last five minutes as curves (uPlot). What was not seen is a gap.

import { utc } from "./words.js";

const SPAN_S = 300;

export class Charts {
  constructor() {
    this.queries = new Curves("chart-queries", [["look-ups", "--s1"], ["scans", "--s2"]]);
    this.load = new Curves("chart-load", [["statements a second", "--s3"]]);
  }

  add(state) {
    const scans = state.queries.filter((one) => one.lane === "scan").length;
    this.queries.add(state.now_s, [state.queries.length - scans, scans]);
    const rates = (state.nodes ?? []).map((one) => one.statements_a_second).filter((one) => one !== null);
    this.load.add(state.now_s, [rates.length ? rates.reduce((sum, one) => sum + one, 0) : null]);
  }
}

class Curves {
  constructor(id, series) {
    this.place = document.getElementById(id);
    this.series = series;
    this.data = [[], ...series.map(() => [])];
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
    new ResizeObserver(() => this.build()).observe(this.place);
  }

  add(now, values) {
    const [times] = this.data;
    times.push(now);
    values.forEach((value, i) => this.data[i + 1].push(value));
    while (times[0] < now - SPAN_S) this.data.forEach((one) => one.shift());
    if (!this.plot) this.build();
    else this.plot.setData(this.data);
  }

  build() {
    const width = this.place.clientWidth;
    if (!width) return;
    this.plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const ink = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: ink("--muted"), grid: { stroke: ink("--rule"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    this.plot = new window.uPlot(
      {
        width,
        height: 150,
        cursor: { drag: { x: false, y: false } },
        legend: { show: this.series.length > 1, live: false },
        scales: { x: { range: (_, __, max) => [max - SPAN_S, max] }, y: { range: (_, __, max) => [0, Math.max(4, (max ?? 0) * 1.1)] } },
        axes: [{ ...axis, space: 70, values: (_, times) => times.map((time) => utc(time).slice(11, 16)) }, { ...axis, size: 44 }],
        series: [{}, ...this.series.map(([label, colour]) => ({ label, stroke: ink(colour), width: 2, points: { show: false } }))],
      },
      this.data,
      this.place,
    );
  }
}
