// Opens a report in a browser without a network, and prints as JSON what it asked for, said and got wrong.
// node check.js BROWSER REPORT FOLDER
import { readFile, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

import axe from "axe-core";
import { FileSystemConfigLoader, HtmlValidate } from "html-validate";
import { chromium } from "playwright-core";

const [browserPath, report, folder] = process.argv.slice(2);
const address = pathToFileURL(report).href;
const WAYS = [
  ["light", "light", 1100],
  ["dark", "dark", 1100],
  ["narrow", "light", 390],
  ["narrow dark", "dark", 390],
  ["very narrow", "light", 320],
];

const loader = new FileSystemConfigLoader({ root: true, extends: ["html-validate:recommended", "html-validate:document"] });
const validated = await new HtmlValidate(loader).validateString(await readFile(report, "utf-8"));
const invalid = validated.results.flatMap(({ messages }) => messages.map(({ line, ruleId, message }) => `${line}: ${ruleId}: ${message}`));

const browser = await chromium.launch({
  executablePath: browserPath,
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND"],
});
const views = {};
for (const [name, scheme, width] of WAYS) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme });
  const requests = [];
  const said = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  await page.goto(address, { waitUntil: "networkidle" });
  await page.screenshot({ path: `${folder}/${name.replace(" ", "-")}.png`, fullPage: true });
  await page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })");
  await page.evaluate(axe.source);
  const found = await page.evaluate("axe.run(document, { resultTypes: ['violations', 'incomplete'] })");
  views[name] = {
    requests: requests.filter((url) => url !== address && url !== "data:,"),
    said,
    background: await page.evaluate("getComputedStyle(document.body).backgroundColor"),
    overflow: await page.evaluate("document.documentElement.scrollWidth - window.innerWidth"),
    violations: found.violations.map(({ impact, id, nodes }) => `${impact}: ${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`),
    undecided: [...new Set(found.incomplete.map(({ id }) => id))],
    pictures: await page.evaluate(
      "[...document.querySelectorAll('.picture svg')].filter((svg) => svg.checkVisibility()).map((svg) => [parseFloat(getComputedStyle(svg.querySelector('text')).fontSize), svg.viewBox.baseVal.width, svg.getBoundingClientRect().width])",
    ),
  };
  if (name === "dark") {
    await page.reload();
    await page.emulateMedia({ media: "print" });
    views.print = {
      background: await page.evaluate("getComputedStyle(document.body).backgroundColor"),
      ink: await page.evaluate("getComputedStyle(document.body).color"),
      hidden: await page.evaluate("[...document.querySelectorAll('table')].filter((table) => table.getBoundingClientRect().height === 0).length"),
    };
    await writeFile(`${folder}/print.pdf`, await page.pdf({ format: "A4" }));
  }
  await page.close();
}
await browser.close();
console.log(JSON.stringify({ invalid, views }, null, 1));
