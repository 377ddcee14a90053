// What the tests in a browser share: Chromium, a site with the page of page.jsx, and a network.
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const SECONDS = 20_000;
const FLAGS = [
  "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP *.example 127.0.0.1",
];

/** Start Chromium; names that end in `.example` lead it to this machine. */
export const browser = () => chromium.launch({
  executablePath: process.env.CHROMIUM, chromiumSandbox: false, args: FLAGS,
});

/** Return the page of page.jsx as one document. */
export async function document() {
  const built = await build({
    entryPoints: ["page.jsx"], bundle: true, write: false, format: "iife", jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' }, logLevel: "silent",
  });
  const script = built.outputFiles[0].text.replaceAll("</script", "<\\/script");
  return `<!doctype html><meta charset="utf-8"><body><script>${script}</script></body>`;
}

/**
 * Listen; answer with a document at `/` and `/?…`, and pass all else on to a server as it came.
 * `cut` ends what goes through; while `isDown`, nothing does.
 */
export async function site(html, { port = 0, onward } = {}) {
  const made = { isDown: false, passed: [] };
  const server = createServer((asked, answer) => {
    if (made.isDown) return asked.socket.destroy();
    if (asked.url === "/" || asked.url.startsWith("/?"))
      return answer.setHeader("Content-Type", "text/html").end(html);
    if (!onward) return answer.writeHead(404).end();
    made.passed.push(asked);
    const { url: path, method, headers } = asked;
    const passing = request(onward, { path, method, headers }, (reply) => {
      answer.writeHead(reply.statusCode, reply.headers);
      answer.flushHeaders();
      reply.pipe(answer);
    });
    passing.on("error", () => answer.destroy());
    answer.on("close", () => passing.destroy());
    asked.pipe(passing);
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  made.port = server.address().port;
  made.cut = () => server.closeAllConnections();
  made.close = () => { server.close(); made.cut(); };
  return made;
}

/** Open the page of a site, for an agent of the server at an address. */
export async function open(context, at, agent, { api = process.env.URL, input = {} } = {}) {
  const page = await context.newPage();
  const asked = new URLSearchParams({ api, agent, input: JSON.stringify(input) });
  await page.goto(`${at}/?${asked}`);
  await rests(page);
  return page;
}

/** Say something on the page. */
export async function say(page, text) {
  await page.fill("input", text);
  await page.click("#send");
}

export const texts = (page) => page.locator("li span").allTextContents();
export const rests = (page) => page.waitForSelector("#state:text-is('at rest')", { timeout: SECONDS });
export const has = (page, selector) => page.waitForSelector(selector, { timeout: SECONDS });

/** Wait until the page shows these messages: a text, or what it must match. */
export async function shows(page, ...wanted) {
  const isSo = (shown) => shown.length === wanted.length && wanted.every(
    (one, index) => one instanceof RegExp ? one.test(shown[index]) : one === shown[index]);
  await until(async () => isSo(await texts(page)), async () => `${wanted}, but ${await texts(page)}`);
}

export async function until(isSo, what) {
  const deadline = Date.now() + SECONDS;
  while (!(await isSo())) {
    if (Date.now() > deadline) assert.fail(`not so in time: ${await what?.() ?? isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Keep what a page looked like, for whoever looks into a failure. */
export const keep = (page, name) =>
  page.screenshot({ path: join(process.env.FOLDER, `${name.replaceAll(/\W+/g, "-")}.png`) });
