// Shows openapi.json as a list of operations with their parameters, bodies and answers, and lets one try them.
// Everything is put into the page as text, never as markup.
"use strict";

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

let schemas = {};

const resolve = (schema) => {
  if (!schema || !schema.$ref) return schema || {};
  return { name: schema.$ref.split("/").pop(), ...schemas[schema.$ref.split("/").pop()] };
};

// One line that says what a schema is.
const phrase = (schema) => {
  const it = resolve(schema);
  if (it.name && it.type === "object") return it.name;
  if (it.enum) return it.enum.join(" | ");
  const variants = it.oneOf || it.anyOf || it.allOf;
  if (variants) return variants.map(phrase).join(it.allOf ? " & " : " | ");
  if (it.type === "array") return `list of ${phrase(it.items)}`;
  const type = [].concat(it.type || "any").join(" | ");
  return it.format ? `${type} (${it.format})` : type;
};

const members = (schema) => {
  const it = resolve(schema);
  const own = Object.entries(it.properties || {}).map(([name, value]) => ({
    name, value, required: (it.required || []).includes(name),
  }));
  return own.concat(...(it.allOf || []).map(members));
};

const table = (rows) => element("table", {}, ...rows.map(([name, type, text]) =>
  element("tr", {}, element("th", { textContent: name }), element("td", { textContent: type }), element("td", { textContent: text || "" }))));

const shape = (schema) => {
  const it = resolve(schema);
  const list = members(it.type === "array" ? it.items : schema);
  if (list.length === 0) return element("p", { textContent: phrase(schema) });
  return element("div", {}, element("p", { textContent: phrase(schema) }),
    table(list.map((one) => [one.name + (one.required ? " *" : ""), phrase(one.value), resolve(one.value).description || one.value.description])));
};

const content = (holder) => Object.values((holder && holder.content) || {})[0];

const trial = (method, path, operation) => {
  const inputs = (operation.parameters || []).map((parameter) => ({
    parameter, input: element("input", { ariaLabel: parameter.name, placeholder: parameter.name }),
  }));
  const body = operation.requestBody ? element("textarea", { ariaLabel: "body", value: "{}" }) : null;
  const result = element("pre", { hidden: true });
  const go = element("button", { textContent: "Try it" });
  go.addEventListener("click", async () => {
    let url = path;
    const query = new URLSearchParams();
    for (const { parameter, input } of inputs) {
      if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value) query.set(parameter.name, input.value);
    }
    if (query.size) url += `?${query}`;
    const headers = { accept: "application/json" };
    const token = document.getElementById("token").value;
    if (token) headers["x-auth-token"] = token;
    if (body) headers["content-type"] = "application/json";
    const base = location.pathname.replace(/\/v2\/docs$/, "");
    const answer = await fetch(base + url, { method: method.toUpperCase(), headers, body: body ? body.value : undefined });
    const text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
    result.hidden = false;
    result.textContent = `${answer.status} ${answer.statusText}\n${shown}`;
  });
  return element("div", {}, ...inputs.map(({ input }) => input), ...(body ? [body] : []), go, result);
};

const one = (method, path, operation) => {
  const details = element("details", {},
    element("summary", {}, element("b", { className: `method ${method}`, textContent: method.toUpperCase() }),
      element("code", { textContent: path }), element("span", { textContent: operation.summary || "" })));
  details.dataset.words = `${method} ${path} ${operation.summary || ""}`.toLowerCase();
  details.addEventListener("toggle", () => {
    if (details.childElementCount > 1) return;
    if (operation.description) details.append(element("p", { textContent: operation.description }));
    if (operation.parameters) {
      details.append(element("h4", { textContent: "Parameters" }),
        table(operation.parameters.map((p) => [p.name + (p.required ? " *" : ""), `${p.in}: ${phrase(p.schema)}`, p.description])));
    }
    const body = content(operation.requestBody);
    if (body) details.append(element("h4", { textContent: "Body" }), shape(body.schema));
    for (const [status, answer] of Object.entries(operation.responses || {})) {
      details.append(element("h4", { textContent: `${status} ${answer.description || ""}` }));
      if (content(answer)) details.append(shape(content(answer).schema));
    }
    details.append(element("h4", { textContent: "Try" }), trial(method, path, operation));
  });
  return details;
};

const show = (api) => {
  schemas = (api.components || {}).schemas || {};
  document.getElementById("about").textContent = `${api.info.description} Version ${api.info.version}.`;
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = (operation.tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(one(method, path, operation));
    }
  }
  const sections = [...groups].map(([tag, list]) => element("section", {}, element("h2", { textContent: tag }), ...list));
  document.getElementById("operations").replaceChildren(...sections);
  document.getElementById("find").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const details of document.querySelectorAll("details")) details.hidden = !details.dataset.words.includes(wanted);
  });
};

fetch("openapi.json").then((answer) => answer.json()).then(show).catch((error) => {
  document.getElementById("operations").textContent = `The description cannot be loaded: ${error}`;
});
