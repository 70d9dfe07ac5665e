// Writes .br and .gz beside every text file of the build, so that the service never compresses while it serves.
import { readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const OUT = new URL("../../static/", import.meta.url).pathname;
const TEXT = new Set([".js", ".css", ".html", ".svg", ".json", ".md"]);
const SMALLEST = 1024; // bytes; below that the headers outweigh the gain

for (const name of await readdir(OUT, { recursive: true })) {
  const path = join(OUT, name);
  const { size } = await stat(path);
  if (!TEXT.has(extname(name)) || size < SMALLEST) continue;
  const content = await readFile(path);
  const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_SIZE_HINT]: size } };
  await writeFile(`${path}.br`, brotliCompressSync(content, brotli));
  await writeFile(`${path}.gz`, gzipSync(content, { level: 9 }));
}

// A service that runs reads everything anew when the index is newer: it has to be the last.
const now = new Date();
await utimes(join(OUT, "index.html"), now, now);
