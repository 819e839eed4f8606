// Charts of the data_visualization block, drawn as SVG.

import { h, svg } from "./dom.js";

const COLORS = ["#2f6feb", "#e8833a", "#1f9d77", "#a855c7", "#d6455d", "#6b7a90"];

/** Round steps of 1, 2 or 5 that cover 0 to the largest value. */
export function ticks(low, high) {
  const span = high - low || Math.abs(high) || 1;
  const raw = span / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].find((one) => one * power >= raw - 1e-12) * power;
  const from = Math.floor(low / step) * step;
  const found = [];
  for (let value = from; value < high + step - 1e-9; value += step) found.push(Number(value.toPrecision(10)));
  return found.length > 1 ? found : [from, from + step];
}

export function format(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(4)));
}

function legend(names) {
  return h("div", { class: "chart-legend" }, names.map((name, index) => {
    const swatch = h("span", { class: "chart-swatch", style: { background: COLORS[index % COLORS.length] } });
    return h("span", { class: "chart-key" }, swatch, name);
  }));
}

function pie(chart) {
  const total = chart.segments.reduce((sum, one) => sum + one.value, 0);
  let turned = -Math.PI / 2;
  const slices = chart.segments.map((segment, index) => {
    const angle = (segment.value / total) * Math.PI * 2;
    const [start, end] = [turned, turned + Math.min(angle, Math.PI * 2 - 1e-4)];
    turned += angle;
    const at = (radius, a) => `${(110 + radius * Math.cos(a)).toFixed(2)} ${(110 + radius * Math.sin(a)).toFixed(2)}`;
    const big = angle > Math.PI ? 1 : 0;
    const d = `M${at(96, start)}A96 96 0 ${big} 1 ${at(96, end)}L${at(54, end)}A54 54 0 ${big} 0 ${at(54, start)}Z`;
    const share = `${segment.label}: ${format(segment.value)} (${Math.round((segment.value / total) * 100)}%)`;
    return svg("path", { d, fill: COLORS[index % COLORS.length], stroke: "var(--paper)", "stroke-width": 2 }, svg("title", {}, share));
  });
  return [svg("svg", { viewBox: "0 0 220 220", class: "chart-pie", role: "img" }, slices), legend(chart.segments.map((one) => one.label))];
}

function plot(block) {
  const [WIDTH, HEIGHT] = window.innerWidth <= 820 ? [380, 130] : [520, 222];
  const { series, axis_config: axis, type } = block.chart;
  const names = axis.categories;
  const rows = series.map((one) => names.map((name) => one.data.find((point) => point.label === name)?.value ?? 0));
  const all = rows.flat();
  const marks = ticks(Math.min(0, ...all), Math.max(...all, 0));
  const [low, high] = [marks[0], marks.at(-1)];
  const left = 18 + Math.max(...marks.map((mark) => format(mark).length)) * 7 + (axis.y_label ? 16 : 0);
  const [right, top, bottom] = [WIDTH - 12, 10, HEIGHT - (axis.x_label ? 44 : 26)];
  const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
  const slot = (right - left) / names.length;
  const x = (index) => (type === "bar" ? left + slot * (index + 0.5) : names.length > 1 ? left + 8 + ((right - left - 16) / (names.length - 1)) * index : (left + right) / 2);
  const parts = marks.map((mark) => [
    svg("line", { x1: left, x2: right, y1: y(mark), y2: y(mark), class: mark === 0 ? "chart-zero" : "chart-grid" }),
    svg("text", { x: left - 8, y: y(mark) + 4, class: "chart-tick", "text-anchor": "end" }, format(mark)),
  ]);
  const widest = Math.max(...names.map((name) => name.length)) * 6.6 + 14;
  const every = Math.max(1, Math.ceil((names.length * widest) / (right - left)));
  names.forEach((name, index) => {
    if (index % every === 0) parts.push(svg("text", { x: x(index), y: bottom + 18, class: "chart-tick", "text-anchor": "middle" }, name));
  });
  rows.forEach((row, s) => {
    const color = COLORS[s % COLORS.length];
    const tip = (index) => svg("title", {}, `${series[s].name}, ${names[index]}: ${format(row[index])}`);
    if (type === "bar") {
      const width = Math.min(34, (slot * 0.72) / rows.length);
      row.forEach((value, index) => {
        const bar = { x: x(index) - (width * rows.length) / 2 + width * s, y: Math.min(y(value), y(0)), width: Math.max(width - 2, 1), height: Math.max(Math.abs(y(value) - y(0)), 0.5), rx: 2, fill: color };
        parts.push(svg("rect", bar, tip(index)));
      });
      return;
    }
    const points = row.map((value, index) => `${x(index).toFixed(1)} ${y(value).toFixed(1)}`);
    if (type === "area") {
      const d = `M${x(0).toFixed(1)} ${y(0).toFixed(1)}L${points.join("L")}L${x(row.length - 1).toFixed(1)} ${y(0).toFixed(1)}Z`;
      parts.push(svg("path", { d, fill: color, "fill-opacity": 0.16 }));
    }
    parts.push(svg("path", { d: `M${points.join("L")}`, fill: "none", stroke: color, "stroke-width": 2.2, "stroke-linejoin": "round", "stroke-linecap": "round" }));
    row.forEach((value, index) => parts.push(svg("circle", { cx: x(index), cy: y(value), r: 3.1, fill: "var(--paper)", stroke: color, "stroke-width": 2 }, tip(index))));
  });
  if (axis.x_label) parts.push(svg("text", { x: (left + right) / 2, y: HEIGHT - 6, class: "chart-label", "text-anchor": "middle" }, axis.x_label));
  if (axis.y_label) parts.push(svg("text", { x: 12, y: (top + bottom) / 2, class: "chart-label", "text-anchor": "middle", transform: `rotate(-90 12 ${(top + bottom) / 2})` }, axis.y_label));
  return [svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart-plot", role: "img", "aria-label": block.title }, parts), series.length > 1 || series[0].name !== block.title ? legend(series.map((one) => one.name)) : null];
}

export function chart(block) {
  const drawing = block.chart.type === "pie" ? pie(block.chart) : plot(block);
  return h("figure", { class: "chart" }, h("figcaption", {}, block.title), drawing);
}
