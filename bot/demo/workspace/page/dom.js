// Builds DOM nodes. Text from messages only ever becomes text nodes; nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(node.style, value);
    else if (name in node && typeof value === "boolean") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== undefined && child !== null && child !== false) node.append(child);
  }
  return node;
}

export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/** Only web addresses become links. */
export function link(url, ...children) {
  let safe = null;
  try {
    const parsed = new URL(url, location.href);
    if (["http:", "https:", "mailto:"].includes(parsed.protocol)) safe = parsed;
  } catch { /* not an address: shown as text */ }
  if (!safe) return h("span", {}, children);
  if (safe.origin === location.origin) return h("a", { href: safe.href }, children);
  return h("a", { href: safe.href, target: "_blank", rel: "noopener noreferrer" }, children);
}

/**
 * Makes the children of `parent` exactly `nodes`. What goes is taken out first, so that what stays is not moved: a moved
 * field loses the focus, and what is being typed with it.
 */
export function sync(parent, nodes) {
  const stays = new Set(nodes);
  for (const child of [...parent.childNodes]) if (!stays.has(child)) child.remove();
  nodes.forEach((node, index) => {
    if (parent.childNodes[index] !== node) parent.insertBefore(node, parent.childNodes[index] || null);
  });
}

const PATHS = {
  hash: "M9 3 7 21M17 3l-2 18M4 9h17M3 15h17",
  lock: "M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3",
  close: "M6 6l12 12M18 6 6 18",
  back: "M15 5l-7 7 7 7",
  chevron: "M6 9l6 6 6-6",
  send: "M4 12 20 4l-5 16-3.5-6.5z",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7-10-7-10-7zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  link: "M10 14l4-4M8 11l-2.5 2.5a3.5 3.5 0 0 0 5 5L13 16M11 8l2.5-2.5a3.5 3.5 0 0 1 5 5L16 13",
  reply: "M21 12a8 8 0 0 1-11.5 7.2L4 20l1-4.6A8 8 0 1 1 21 12z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M7 7l10 10M17 7 7 17",
  up: "M8 21V11l4-8c1.7 0 2.6 1.2 2.3 3L13.7 9H19a2 2 0 0 1 2 2.3l-1.2 7A2 2 0 0 1 17.800 21zM8 11H4v10h4",
  down: "M16 3v10l-4 8c-1.700 0-2.600-1.200-2.300-3l.6-3H5a2 2 0 0 1-2-2.300l1.200-7A2 2 0 0 1 6.200 3zM16 13h4V3h-4",
  pulse: "M2 13h4.500l2.500-7 5 13 2.500-6H22",
  bell: "M6 17V11a6 6 0 0 1 12 0v6l2 2H4zM10 21h4",
  home: "M4 11l8-7 8 7v9h-5v-6H9v6H4z",
  people: "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c0-4 3-7 7-7s7 3 7 7M17 4a4 4 0 0 1 0 7.500M18 14.500c2.500.8 4 3.300 4 6.500",
  share: "M3 12h6M15 12h6M9 8l-4 4 4 4M15 8l4 4-4 4",
  menu: "M4 7h16M4 12h16M4 17h16",
};

export function icon(name, size = 18) {
  const path = svg("path", { d: PATHS[name] });
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true" }, path);
}
