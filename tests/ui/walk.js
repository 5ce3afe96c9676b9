// Walks through Dagster's pages as a person does, and prints as JSON what there was to see and what went wrong.
// node walk.js BROWSER ADDRESS FOLDER DAYS FIRST LAST: how many days have calls, and the days to build again.
import { writeFile } from "node:fs/promises";

import { chromium } from "playwright-core";

const [browserPath, address, folder, days, first, last] = process.argv.slice(2);
const SOON = 30_000; // an answer of the web server, on a busy machine
const LATER = 150_000; // a tick of a daemon, and a run

const trouble = { said: [], failed: [], outside: [] };
const seen = {};

const browser = await chromium.launch({
  executablePath: browserPath,
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
});
const context = await browser.newContext({ viewport: { width: 1600, height: 1200 }, reducedMotion: "reduce", timezoneId: "UTC" });
context.setDefaultTimeout(SOON);
const page = await context.newPage();

function note(url) {
  const [asked, here] = [new URL(url), new URL(address)];
  // A blob has the origin of the page that made it, and data are no request.
  if (asked.host !== here.host && asked.origin !== here.origin && asked.protocol !== "data:") trouble.outside.push(url);
}
context.on("request", (request) => note(request.url()));
page.on("websocket", (socket) => note(socket.url()));
context.on("console", (message) => message.type() === "error" && trouble.said.push(message.text()));
context.on("weberror", (error) => trouble.said.push(String(error.error())));
context.on("response", (response) => response.status() >= 400 && trouble.failed.push(`${response.status()} ${response.url()}`));
context.on("requestfailed", (request) => {
  // What a page still waits for when it is left is called off; nothing is wrong with it.
  const why = request.failure()?.errorText;
  if (why !== "net::ERR_ABORTED") trouble.failed.push(`${why} ${request.url()}`);
});

// What a link is called has the name of its icon in it, or is said twice, where a part of it may be hidden.
const link = (name) => page.getByRole("link", { name: new RegExp(`(^| )${name}( |$)`) }).first();
const tab = (name) => page.getByRole("tab", { name, exact: true });
const button = (name, within = page) => within.getByRole("button", { name, exact: true });
const text = (name, within = page) => within.getByText(name, { exact: true }).first();

const turnTo = (name) => link(name).click();

async function openAsset(name, view) {
  await turnTo("Catalog");
  await link(name).click();
  await tab(view).click();
}

async function openJob(name) {
  await turnTo("Jobs");
  await link(name).click();
}

// How many parts of the page's bar of days, and how many days of its list, are green to the eye.
const greens = () =>
  page.evaluate(() => {
    const shown = [...document.querySelectorAll("div")].filter((div) => !div.childElementCount && div.getBoundingClientRect().width > 5);
    const colours = shown.map((div) => getComputedStyle(div).backgroundColor.match(/[\d.]+/g).map(Number));
    return colours.filter(([red, green, blue, opacity = 1]) => opacity > 0.5 && green > 1.3 * red && green > 1.3 * blue).length;
  });

const steps = {
  async "the graph"() {
    await context.request.post(`${address}/graphql`, { data: { query: "mutation {setNuxSeen}" } }); // "Welcome to Dagster"
    await page.goto(address);
    await turnTo("Lineage");
    for (const name of ["extract", "core", "marts", "serving"]) await text(name).waitFor();
    await openAsset("catalog", "Lineage");
    await button(/Upstream$/).click();
    await button("All").click();
    for (const name of ["call_pages", "landed_calls", "calls", "call_metrics_daily"]) await text(name).waitFor();
  },

  async "no day is green yet"() {
    await openAsset("catalog", "Partitions");
    await text("Materialized (0)").waitFor();
    seen.before = await greens();
  },

  async "an extraction from the launchpad"() {
    await openJob("extract_calls");
    await button(/ Materialize$/).locator("xpath=following::button[1]").click();
    await page.getByRole("menuitem", { name: /Open launchpad$/ }).click();
    const pad = page.getByRole("dialog").filter({ hasText: "Launchpad" });
    await text("No errors", pad).waitFor();
    seen.launchpad = await pad.locator(".CodeMirror-line").allInnerTexts();
    await button(/ Materialize$/, pad).click();
    await page.waitForURL(/\/runs\/[0-9a-f-]{36}/);
    await page.getByText("Success", { exact: true }).waitFor({ timeout: LATER });
  },

  async "days turn green"() {
    await openAsset("catalog", "Partitions");
    await text(`Materialized (${days})`).waitFor({ timeout: LATER });
    seen.after = await greens();
    await turnTo("Runs");
    await link("changed_days").waitFor();
    await link("build_days").waitFor();
  },

  async "a backfill of five days"() {
    await openJob("build_days");
    await button(/Materialize all/).click();
    const dialog = page.getByRole("dialog");
    await button("Show all partitions", dialog).click();
    await dialog.getByRole("textbox").fill(`[${first}...${last}]`);
    await dialog.getByRole("textbox").press("Enter");
    seen.chosen = await text(/^[1-9]\d* partitions$/, dialog).innerText();
    await button("Launch backfill", dialog).click();
    await text("View").click();
    await page.waitForURL(/\/runs\/b\/\w+/);
  },

  async "a mart's day"() {
    const backfill = page.url();
    await openAsset("call_metrics_daily", "Partitions");
    await page.getByText(/^Missing \(\d+\)$/).click();
    await text(first).click();
    await page.getByRole("cell", { name: "dagster/partition_row_count" }).waitFor();
    const rows = await page.getByRole("row").filter({ has: page.getByRole("cell") }).all();
    seen.metadata = Object.fromEntries(await Promise.all(rows.map(async (row) => row.getByRole("cell").allInnerTexts())));
    const table = page.getByRole("row").filter({ hasText: /^key figures/ }).getByRole("table");
    const calls = table.getByRole("row").filter({ has: page.getByRole("cell", { name: "calls", exact: true }) }).first();
    seen.day = await calls.getByRole("cell").nth(1).innerText();
    await tab("Overview").click();
    await button(/(^| )Plots$/).click();
    await button(/(^| )Events$/).click(); // by partition it plots the newest 120 days, and these are long past
    for (const name of ["connect_rate", "average_duration_seconds", "cost_per_minute"]) await text(name).waitFor();
    await page.locator("canvas").first().waitFor();
    seen.plots = await page.locator("canvas").evaluateAll((all) => all.map((canvas) => ({
      width: canvas.width,
      drawn: canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0),
    })));
    await page.goto(backfill);
  },

  async "the backfill is done, in one run"() {
    await tab("Runs").click();
    await text("Succeeded").waitFor({ timeout: LATER });
    seen.runs = await page.getByRole("link", { name: /^run [0-9a-f]{8}$/ }).count();
  },

  async "the checks"() {
    await openAsset("call_metrics_daily", "Checks");
    await text("Succeeded").waitFor();
    seen.checks = await text(/^Checks \(\d+\)$/).innerText();
    seen.succeeded = await page.getByText("Succeeded", { exact: true }).count();
    await tab("Partitions").last().click();
    await text(`Passed (${days})`).waitFor();
  },
};

for (const [name, step] of Object.entries(steps)) {
  const begun = Date.now();
  try {
    await step();
  } catch (error) {
    await page.screenshot({ path: `${folder}/failed.png` });
    await writeFile(`${folder}/failed.txt`, await page.locator("body").innerText());
    console.error(`${name}: ${error}\nThe page ${page.url()} is in ${folder}/failed.png\n${JSON.stringify(trouble)}`);
    process.exit(1);
  }
  console.error(`${name}: ${Date.now() - begun} ms`);
}
await browser.close();
console.log(JSON.stringify({ seen, trouble }));
