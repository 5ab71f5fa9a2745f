"use strict";
// Renders /openapi.json. Text from the document is only ever set as text, never as markup.

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEPTH_MAX = 8;

function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "text") element.textContent = value;
    else if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function prose(text) {
  return (text || "").split(/`([^`]+)`/).map((part, place) => (place % 2 ? make("code", { text: part }) : part));
}

class Page {
  constructor(api) {
    this.api = api;
  }

  resolve(schema) {
    const seen = new Set();
    while (schema && schema.$ref && !seen.has(schema.$ref)) {
      seen.add(schema.$ref);
      const place = schema.$ref.slice(2).split("/");
      const found = place.reduce((value, step) => (value || {})[step.replaceAll("~1", "/").replaceAll("~0", "~")], this.api);
      schema = { ...found, ...Object.fromEntries(Object.entries(schema).filter(([name]) => name !== "$ref")) };
    }
    return schema || {};
  }

  branches(schema) {
    return [...(schema.anyOf || []), ...(schema.oneOf || [])];
  }

  kind(raw) {
    const schema = this.resolve(raw);
    if (schema.const !== undefined) return JSON.stringify(schema.const);
    if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
    const branches = this.branches(schema);
    if (branches.length) return [...new Set(branches.map((one) => this.kind(one)))].join(" | ");
    if (schema.type === "array") return `array of ${this.kind(schema.items || {})}`;
    const name = raw && raw.$ref ? raw.$ref.split("/").pop() : null;
    const type = Array.isArray(schema.type) ? schema.type.join(" | ") : schema.type || name || "any";
    return schema.format ? `${type} (${schema.format})` : type;
  }

  bounds(schema) {
    const said = [];
    const range = (low, high, unit) => {
      if (low !== undefined || high !== undefined) said.push(`${low ?? ""}…${high ?? ""}${unit}`);
    };
    range(schema.minLength, schema.maxLength, " characters");
    range(schema.minimum ?? schema.exclusiveMinimum, schema.maximum ?? schema.exclusiveMaximum, "");
    range(schema.minItems, schema.maxItems, " items");
    if (schema.default !== undefined && schema.default !== null) said.push(`default ${JSON.stringify(schema.default)}`);
    return said.join(", ");
  }

  reference(raw) {
    const schema = this.resolve(raw);
    const found = [schema, ...this.branches(schema), ...(schema.allOf || [])].map((one) => one["x-reference"]).find(Boolean);
    if (!found) return null;
    const parents = found.by ? [...new Set(Object.values(found.parents).map((one) => one.parent || one))] : [found.parent];
    const left = found.default === "caller" ? ", left out: the caller" : "";
    const by = found.by ? ` by ${found.by}` : "";
    return make("span", { class: "badge", title: JSON.stringify(found), text: `→ ${parents.join(" | ")}${by}, ${found.onDelete}${left}` });
  }

  line(name, raw, required, depth, seen) {
    const schema = this.resolve(raw);
    const item = make(
      "li",
      {},
      make("code", { text: name }),
      required ? make("span", { class: "required", text: "* ", title: "required" }) : " ",
      make("span", { class: "kind", text: this.kind(raw) }), " ",
      this.reference(raw), " ",
      make("span", { class: "said" }, ...prose([this.bounds(schema), schema.description].filter(Boolean).join(" · "))),
    );
    const inner = this.schema(raw, depth + 1, seen);
    if (inner) item.append(inner);
    return item;
  }

  schema(raw, depth = 0, seen = new Set()) {
    const name = raw && raw.$ref;
    if (depth > DEPTH_MAX || (name && seen.has(name))) return null;
    const inside = name ? new Set([...seen, name]) : seen;
    const schema = this.resolve(raw);
    const items = [];
    const required = new Set(schema.required || []);
    for (const [field, one] of Object.entries(schema.properties || {})) {
      items.push(this.line(field, one, required.has(field), depth, inside));
    }
    for (const one of [...this.branches(schema), ...(schema.allOf || [])]) {
      const inner = this.schema(one, depth + 1, inside);
      if (inner) items.push(make("li", {}, inner));
    }
    if (schema.items) {
      const inner = this.schema(schema.items, depth + 1, inside);
      if (inner) items.push(make("li", {}, inner));
    }
    return items.length ? make("ul", { class: "schema" }, ...items) : null;
  }

  example(raw, depth = 0) {
    const schema = this.resolve(raw);
    if (schema.example !== undefined) return schema.example;
    if (schema.examples && schema.examples.length) return schema.examples[0];
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return schema.enum[0];
    if (depth > 4) return null;
    const branches = this.branches(schema).filter((one) => this.resolve(one).type !== "null");
    if (branches.length) return this.example(branches[0], depth + 1);
    if (schema.properties) {
      const required = new Set(schema.required || []);
      const fields = Object.entries(schema.properties).filter(([name]) => required.has(name));
      return Object.fromEntries(fields.map(([name, one]) => [name, this.example(one, depth + 1)]));
    }
    if (schema.type === "array") return [this.example(schema.items || {}, depth + 1)];
    if (schema["x-reference"]) return "<id>";
    return { integer: 1, number: 1, boolean: true, object: {} }[schema.type] ?? "…";
  }

  curl(method, path, operation) {
    const lines = [`curl -X ${method.toUpperCase()} '${location.origin}${path}'`];
    const open = operation.security && operation.security.length === 0;
    if (!open) lines.push('-H "Authorization: Bearer $TOKEN"');
    const content = operation.requestBody && operation.requestBody.content && operation.requestBody.content["application/json"];
    if (content) {
      lines.push("-H 'Content-Type: application/json'");
      lines.push(`-d '${JSON.stringify(this.example(content.schema)).replaceAll("'", "'\\''")}'`);
    }
    return lines.join(" \\\n  ");
  }

  parameters(operation, item) {
    const rows = [...(item.parameters || []), ...(operation.parameters || [])].map((raw) => this.resolve(raw)).map((one) =>
      make("tr", {},
        make("td", {}, make("code", { text: one.name }), one.required ? make("span", { class: "required", text: "*" }) : null),
        make("td", { class: "said", text: one.in }),
        make("td", {}, make("span", { class: "kind", text: this.kind(one.schema || {}) }), " ", this.reference(one.schema || {})),
        make("td", { class: "said" }, ...prose([this.bounds(this.resolve(one.schema)), one.description].filter(Boolean).join(" · ")))));
    return rows.length ? [make("h3", { text: "Parameters" }), make("table", {}, ...rows)] : [];
  }

  body(operation) {
    const content = (operation.requestBody && operation.requestBody.content) || {};
    const [type, media] = Object.entries(content)[0] || [];
    if (!media) return [];
    return [make("h3", { text: `Body, ${Object.keys(content).join(" or ") || type}` }), this.schema(media.schema || {}) || make("p", { class: "kind", text: this.kind(media.schema || {}) })];
  }

  responses(operation) {
    const parts = [make("h3", { text: "Answers" })];
    for (const [status, raw] of Object.entries(operation.responses || {})) {
      const answer = this.resolve(raw);
      const media = Object.entries(answer.content || {}).find(([type]) => type === "application/json");
      const row = make("details", {}, make("summary", {}, make("code", { text: status }), " ", make("span", { class: "said" }, ...prose(answer.description))));
      const schema = media && this.schema(media[1].schema || {});
      parts.push(schema ? (row.append(schema), row) : make("div", {}, make("code", { text: status }), " ", make("span", { class: "said" }, ...prose(answer.description))));
    }
    return parts;
  }

  operation(path, method, operation, item) {
    const id = operation.operationId;
    const box = make("details", { class: "operation", id },
      make("summary", {},
        make("span", { class: `method ${method}`, text: method.toUpperCase() }),
        make("span", { class: "path", text: path }),
        make("span", { class: "said", text: operation.summary || "" })));
    box.dataset.words = [path, method, id, operation.summary, operation.description, ...(operation.tags || [])].join(" ").toLowerCase();
    box.addEventListener("toggle", () => {
      if (!box.open || box.dataset.drawn) return;
      box.dataset.drawn = "yes";
      const command = this.curl(method, path, operation);
      const copy = make("button", { type: "button", text: "Copy" });
      copy.addEventListener("click", () => navigator.clipboard.writeText(command));
      box.append(make("div", { class: "inside" },
        operation.description ? make("p", {}, ...prose(operation.description)) : null,
        make("p", { class: "said" }, `${operation["x-service"]} · `, make("a", { href: `#${id}`, text: id }),
          operation.security && operation.security.length === 0 ? " · needs no token" : ""),
        ...this.parameters(operation, item), ...this.body(operation), ...this.responses(operation),
        make("h3", {}, "curl ", copy), make("pre", { text: command })));
    });
    return box;
  }

  entities() {
    const rows = Object.entries(this.api["x-entities"] || {}).flatMap(([name, entity]) =>
      (entity.references || []).map((one) => make("tr", {},
        make("td", {}, make("code", { text: one.relationship })),
        make("td", {}, this.reference({ "x-reference": one })),
        make("td", { class: "said", text: entity.service }))));
    return make("section", {}, make("h2", { id: "references", text: "Who refers to whom" }), make("table", {}, ...rows));
  }

  render(main, nav) {
    document.getElementById("title").textContent = `${this.api.info.title} API ${this.api.info.version}`;
    const sections = new Map();
    for (const group of this.api["x-tagGroups"] || []) {
      nav.append(make("h2", { text: group.name }));
      for (const tag of group.tags) {
        const key = `${group.name}/${tag}`;
        const section = make("section", {}, make("h2", { id: `tag-${key}`, text: tag }));
        sections.set(key, section);
        nav.append(make("a", { href: `#tag-${key}`, text: tag }));
      }
    }
    for (const [path, item] of Object.entries(this.api.paths)) {
      for (const method of METHODS.filter((one) => item[one])) {
        const operation = item[method];
        const section = sections.get(`${operation["x-service"]}/${operation.tags[0]}`);
        if (section) section.append(this.operation(path, method, operation, item));
      }
    }
    main.replaceChildren(...sections.values(), this.entities());
    nav.append(make("h2", { text: "Platform" }), make("a", { href: "#references", text: "who refers to whom" }));
  }
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") target.open = true;
  if (target) target.scrollIntoView();
}

function filter(words) {
  for (const section of document.querySelectorAll("main > section")) {
    const boxes = [...section.querySelectorAll("details.operation")];
    for (const box of boxes) box.hidden = !words.every((word) => box.dataset.words.includes(word));
    section.hidden = words.length > 0 && !boxes.some((box) => !box.hidden);
  }
}

async function start() {
  const state = document.getElementById("state");
  try {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    new Page(await answer.json()).render(document.getElementById("operations"), document.getElementById("tags"));
  } catch (error) {
    state.textContent = `The document cannot be shown: ${error.message}`;
    return;
  }
  document.getElementById("filter").addEventListener("input", (event) => {
    filter(event.target.value.toLowerCase().split(/\s+/).filter(Boolean));
  });
  addEventListener("hashchange", openTarget);
  openTarget();
}

start();
