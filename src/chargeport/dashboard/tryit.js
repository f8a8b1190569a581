// "Try it" on the page that describes the API: sends what it describes, with the reader's own token.

const TOKEN = { value: null };

function element(tag, props = {}, ...content) {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...content);
  return made;
}

async function ownToken() {
  try {
    const answer = await fetch("session/token", { method: "POST", headers: { "Content-Type": "application/json", "X-Chargeport-Page": "1" }, body: "{}" });
    return answer.ok ? (await answer.json()).access_token : null;
  } catch {
    return null;
  }
}

// What can be tried, by the id of its part of the page: what only reads.
async function readable() {
  const { paths } = await (await fetch("openapi.json")).json();
  return new Map(Object.entries(paths).filter(([, methods]) => methods.get).map(([path, { get }]) => [get.operationId, { path, parameters: get.parameters }]));
}

function formOf({ path, parameters }) {
  const inputs = parameters.map(({ name, in: where, example }) => [name, where, element("input", { name, placeholder: example ?? "", ariaLabel: name })]);
  const result = element("pre", { hidden: true, tabIndex: 0 });
  const send = element("button", { type: "submit" }, "Send");
  const form = element("form", { className: "try" }, ...inputs.map(([name, , input]) => element("label", {}, `${name} `, input)), send, result);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = inputs.map(([name, where, input]) => [name, where, input.value.trim()]);
    const target = given.reduce((text, [name, where, value]) => (where === "path" ? text.replace(`{${name}}`, encodeURIComponent(value)) : text), path);
    const query = new URLSearchParams(given.filter(([, where, value]) => where === "query" && value).map(([name, , value]) => [name, value]));
    const headers = Object.fromEntries(given.filter(([, where, value]) => where === "header" && value).map(([name, , value]) => [name, value]));
    TOKEN.value = document.getElementById("try-token").value.trim() || TOKEN.value || await ownToken();
    if (TOKEN.value) headers.Authorization = `Bearer ${TOKEN.value}`;
    result.hidden = false;
    result.textContent = "…";
    try {
      const answer = await fetch(`.${target}${query.size ? `?${query}` : ""}`, { headers });
      const text = await answer.text();
      let shown = text;
      if (answer.headers.get("content-type")?.startsWith("application/json")) shown = JSON.stringify(JSON.parse(text), null, 2);
      result.textContent = `${answer.status} ${answer.statusText}\n\n${shown.slice(0, 20000)}`;
    } catch (error) {
      result.textContent = `The server does not answer: ${error.message}`;
    }
  });
  return form;
}

const operations = await readable();
for (const [id, operation] of operations) {
  const section = document.getElementById(id);
  if (!section || id === "streamSignals") continue; // a stream has no end to show
  const details = element("details", {}, element("summary", {}, "Try it"));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(formOf(operation));
  });
  section.append(details);
}
