// Common emoji. Those that carry status are drawn, so that they look the same without an emoji font.

import { h, svg } from "./dom.js";

const CHARACTERS = {
  wave: "👋", eyes: "👀", tada: "🎉", rocket: "🚀", fire: "🔥", thinking_face: "🤔", bulb: "💡", memo: "📝",
  robot_face: "🤖", bug: "🐛", gear: "⚙️", package: "📦", zap: "⚡", clock1: "🕐", link: "🔗", lock: "🔒", key: "🔑",
  chart_with_upwards_trend: "📈", chart_with_downwards_trend: "📉", bar_chart: "📊", point_right: "👉", bookmark: "🔖",
  pray: "🙏", clap: "👏", smile: "😄", slightly_smiling_face: "🙂", sweat_smile: "😅", ambulance: "🚑", shield: "🛡️",
  globe_with_meridians: "🌐", speech_balloon: "💬", stopwatch: "⏱️", calendar: "📅", moneybag: "💰", arrow_right: "➡️",
  leftwards_arrow_with_hook: "↩️", information_source: "ℹ️", exclamation: "❗", question: "❓", heart: "❤️", 100: "💯",
  rewind: "⏪", repeat: "🔁", hammer: "🔨", pushpin: "📌", recycle: "♻️", octagonal_sign: "🛑", raised_hand: "✋",
};

const disc = (fill) => () => [svg("circle", { cx: 12, cy: 12, r: 9, fill })];
const line = (d, stroke, width = 2.2) =>
  svg("path", { d, fill: "none", stroke, "stroke-width": width, "stroke-linecap": "round", "stroke-linejoin": "round" });

const DRAWN = {
  white_check_mark: () => [svg("rect", { x: 2, y: 2, width: 20, height: 20, rx: 5, fill: "#23a26d" }), line("M7 12.500l3.500 3.500L17 8.500", "#fff", 2.800)],
  heavy_check_mark: () => [line("M4 13l5 5L20 6", "#23a26d", 3.200)],
  x: () => [line("M5 5l14 14M19 5 5 19", "#d8373f", 3.600)],
  no_entry: () => [svg("circle", { cx: 12, cy: 12, r: 10, fill: "#d8373f" }), svg("rect", { x: 6, y: 10.2, width: 12, height: 3.6, rx: 1, fill: "#fff" })],
  warning: () => [svg("path", { d: "M12 2.500 23 21.500H1z", fill: "#f2b705", "stroke-linejoin": "round" }), line("M12 9.500v5.500M12 18v.2", "#3b2f00", 2.400)],
  rotating_light: () => [
    svg("path", { d: "M6 18v-5a6 6 0 0 1 12 0v5z", fill: "#e5383b" }), svg("rect", { x: 3.5, y: 18, width: 17, height: 4, rx: 1.5, fill: "#5b6270" }),
    line("M12 1.500v2.500M3.500 5l1.800 1.800M20.500 5l-1.800 1.800", "#e5383b", 2),
  ],
  hourglass_flowing_sand: () => [line("M6 3h12M6 21h12M8 3c0 5 8 6 8 9s-8 4-8 9M16 3c0 5-8 6-8 9s8 4 8 9", "#8a6d3b", 1.800)],
  red_circle: disc("#dd2e44"), large_red_square: disc("#dd2e44"),
  large_green_circle: disc("#2fb170"), green_circle: disc("#2fb170"),
  large_yellow_circle: disc("#f5c518"), yellow_circle: disc("#f5c518"),
  large_orange_circle: disc("#f4900c"), large_blue_circle: disc("#3b82f6"),
  white_circle: () => [svg("circle", { cx: 12, cy: 12, r: 8.500, fill: "#fff", stroke: "#8d929c", "stroke-width": 1.500 })],
  mag: () => [svg("circle", { cx: 10.5, cy: 10.5, r: 6.5, fill: "#dbeafe", stroke: "#46536b", "stroke-width": 2 }), line("M15.500 15.500 21 21", "#46536b", 2.800)],
  bell: () => [svg("path", { d: "M5 17.500V11a7 7 0 0 1 14 0v6.500l1.500 2h-17z", fill: "#f2b705" }), line("M10 21.500h4", "#8a6d3b", 2)],
  wrench: () => [line("M14.500 9.500 5 19M14 4.500a4.500 4.500 0 0 0 5.500 5.500L21 8.500A5 5 0 0 1 14.500 3z", "#5b6270", 2.600)],
  thumbsup: () => [svg("path", { d: "M8 21V11l4-9c2 0 3 1.500 2.500 3.500L14 9h5a2 2 0 0 1 2 2.300l-1.200 7.700a2 2 0 0 1-2 2zM3 11h4v10H3z", fill: "#f2b93b" })],
  thumbsdown: () => [svg("path", { d: "M16 3v10l-4 9c-2 0-3-1.500-2.500-3.500L10 15H5a2 2 0 0 1-2-2.300L4.200 5a2 2 0 0 1 2-2zM17 3h4v10h-4z", fill: "#f2b93b" })],
};

const ALIASES = { "+1": "thumbsup", "-1": "thumbsdown", hourglass: "hourglass_flowing_sand", no_entry_sign: "no_entry", check: "heavy_check_mark", ballot_box_with_check: "white_check_mark" };

const BY_CHARACTER = new Map(Object.entries({
  "✅": "white_check_mark", "✔": "heavy_check_mark", "❌": "x", "⚠": "warning", "🚨": "rotating_light", "⏳": "hourglass_flowing_sand",
  "⌛": "hourglass_flowing_sand", "🔴": "red_circle", "🟢": "large_green_circle", "🟡": "large_yellow_circle", "🟠": "large_orange_circle",
  "🔵": "large_blue_circle", "⚪": "white_circle", "🔍": "mag", "🔎": "mag", "🔔": "bell", "🔧": "wrench", "👍": "thumbsup", "👎": "thumbsdown", "⛔": "no_entry",
}));

export const EMOJI = new RegExp(`:([a-z0-9_+-]+):|(${[...BY_CHARACTER.keys()].join("|")})\\ufe0f?`, "u");

/** The emoji of a shortcode, null when there is none. */
export function emoji(name) {
  const known = ALIASES[name] || name;
  if (DRAWN[known]) {
    return svg("svg", { class: "emoji", viewBox: "0 0 24 24", role: "img", "aria-label": known }, DRAWN[known]());
  }
  return CHARACTERS[known] ? h("span", { class: "emoji-char", title: `:${known}:` }, CHARACTERS[known]) : null;
}

export function emojiOf(character) {
  return emoji(BY_CHARACTER.get(character));
}
