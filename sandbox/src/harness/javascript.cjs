// The harness for JavaScript. `protocol.rs` says what is read and written; the comments here say why it is done so.
//
// A script is the body of an async function (`return …`), or a module where it has `export` or `import` (`export default …`,
// a function being called with the inputs). What becomes of a result: as JSON.stringify has it, but Map → object, Set and typed
// arrays → array, Uint8Array and Buffer → base64, and an error that names the place for what JSON.stringify drops or
// disguises: NaN, Infinity, BigInt, functions, symbols, promises, errors, cycles.
"use strict";

(() => {
  const fs = require("fs");
  const path = require("path");
  const vm = require("vm");

  const DEEPEST = 120;
  const LONGEST = 32 * 1024;
  const { exit: end, stdout, stderr } = { exit: process.reallyExit.bind(process), stdout: process.stdout, stderr: process.stderr };
  const home = fs.realpathSync(process.cwd());

  // Pipes that block: all that is printed is out before the answer, and before a loop that never ends.
  for (const stream of [stdout, stderr]) stream._handle?.setBlocking?.(true);

  // The script may close or redirect its own. Where /proc does not help, the answer shares them with it.
  const again = (fd) => {
    try {
      return fs.openSync(`/proc/self/fd/${fd}`, fs.constants.O_WRONLY);
    } catch {
      return fd;
    }
  };
  const [out, err] = [again(1), again(2)];

  const write = (fd, bytes) => {
    for (let at = 0; at < bytes.length; ) {
      try {
        at += fs.writeSync(fd, bytes, at);
      } catch (error) {
        if (error.code !== "EAGAIN") throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
    }
  };

  class Unsayable extends Error {}

  const place = (at) => at.reduce((said, key) => said + (typeof key === "number" ? `[${key}]`
    : /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`), "result");

  const text = (value, at) => {
    if (/\p{Surrogate}/u.test(value)) throw new Unsayable(`${place(at)} holds half a character (a lone surrogate)`);
    return value;
  };

  // What JSON has for a value; undefined where it is left out.
  const plain = (value, at, above) => {
    switch (typeof value) {
      case "string":
        return text(value, at);
      case "number":
        if (!Number.isFinite(value)) throw new Unsayable(`${place(at)} is ${value}, which JSON has no word for`);
        return value;
      case "bigint":
        throw new Unsayable(`${place(at)} is a BigInt, which JSON has no word for: make it a Number or a String`);
      case "function":
      case "symbol":
        throw new Unsayable(`${place(at)} is a ${typeof value}, which JSON has no word for`);
      case "object":
        break;
      default:
        return value;
    }
    if (value === null) return null;
    if (above.includes(value)) throw new Unsayable(`${place(at)} holds itself, which JSON has no word for`);
    if (at.length >= DEEPEST) {
      throw new Unsayable(`the result is nested deeper than ${DEEPEST} levels: ${place(at.slice(0, 8))}…`);
    }
    if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
    if (value instanceof Date && Number.isNaN(value.getTime())) {
      throw new Unsayable(`${place(at)} is an invalid Date, which JSON has no word for`);
    }
    above.push(value);
    const said = inner(value, at, above);
    above.pop();
    return said;
  };

  const inner = (value, at, above) => {
    if (typeof value.toJSON === "function") return plain(value.toJSON(at.at(-1) ?? ""), at, above);
    if (Array.isArray(value) || (ArrayBuffer.isView(value) && Symbol.iterator in value)) {
      return Array.from(value, (element, index) => plain(element, [...at, index], above) ?? null);
    }
    if (value instanceof Set) return [...value].map((element, index) => plain(element, [...at, index], above) ?? null);
    if (value instanceof Map) return members(value, at, above);
    if (value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt) {
      return plain(value.valueOf(), at, above);
    }
    const kind = Object.prototype.toString.call(value).slice(8, -1);
    if (value instanceof Promise) throw new Unsayable(`${place(at)} is a Promise: await it`);
    if (value instanceof Error || ["Error", "RegExp", "ArrayBuffer", "DataView", "WeakMap", "WeakSet", "Generator", "AsyncGenerator"].includes(kind) || kind.endsWith(" Iterator")) {
      const name = value.constructor?.name || kind;
      throw new Unsayable(`${place(at)} is ${/^[AEIO]/.test(name) ? "an" : "a"} ${name}, which JSON has no word for`);
    }
    return members(Object.entries(value), at, above);
  };

  const members = (entries, at, above) => {
    const said = Object.create(null);
    for (const [key, value] of entries) {
      if (typeof key !== "string" && typeof key !== "number" && typeof key !== "boolean") {
        throw new Unsayable(`${place(at)} has a key that is ${key === null ? "null" : typeof key === "object" ? "an object" : `a ${typeof key}`}: keys are strings`);
      }
      const name = text(String(key), at);
      if (name in said) throw new Unsayable(`${place(at)} has two keys that are ${JSON.stringify(name)} in JSON`);
      said[name] = plain(value, [...at, name], above);
    }
    return said;
  };

  // Short enough, and without what no JSON can hold.
  const cut = (said, length = LONGEST) => {
    said = Buffer.from(said).toString();
    return said.length <= length ? said
      : `${said.slice(0, length / 2)}\n[… ${said.length - length} characters …]\n${said.slice(-length / 2)}`;
  };

  const inOrder = (fd) => {
    let held = Buffer.alloc(0);
    const chunk = Buffer.allocUnsafe(64 * 1024);
    const more = () => {
      for (;;) {
        try {
          const length = fs.readSync(fd, chunk, 0, chunk.length, null);
          if (length === 0) end(held.length === 0 ? 0 : 1);
          held = Buffer.concat([held, chunk.subarray(0, length)]);
          return;
        } catch (error) {
          if (error.code === "EOF") end(0);
          if (error.code !== "EAGAIN") throw error;
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
        }
      }
    };
    const bytes = (length) => {
      if (held.length < length) {
        // All at once: joining it chunk by chunk takes time by the square of its length.
        const parts = [held];
        for (let have = held.length; have < length; ) {
          held = Buffer.alloc(0);
          more();
          parts.push(held);
          have += held.length;
        }
        held = Buffer.concat(parts);
      }
      const taken = held.subarray(0, length);
      held = held.subarray(length);
      return taken;
    };
    const line = () => {
      for (;;) {
        const at = held.indexOf(10);
        if (at >= 0) return bytes(at + 1).toString("utf8", 0, at);
        more();
      }
    };
    return { bytes, line };
  };

  // Each run's own, so that no file name in a stack is taken for the script's.
  let mark, name, outputs, url, address, prefix;
  let answered = false;

  const file = (asked) => {
    if (asked.startsWith("/") || asked.split("/").includes("..")) return null;
    try {
      const whole = fs.realpathSync(path.join(home, asked));
      if (!whole.startsWith(path.join(home, "/")) || !fs.statSync(whole).isFile()) return null;
      return fs.readFileSync(whole).toString("base64");
    } catch (error) {
      if (error.syscall || error.code?.startsWith("E")) return null;
      throw error;
    }
  };

  const answer = (said) => {
    if (answered) return;
    answered = true;
    said.files = outputs.map(file);
    const bytes = Buffer.from(JSON.stringify(said));
    const frame = Buffer.concat([Buffer.from(`${mark} ${bytes.length}\n`), bytes]);
    // Only where they could not be made to block.
    const flushed = (stream, next) => (stream.writableLength > 0 && !stream.destroyed ? stream.write("", next) : next());
    flushed(stdout, () => flushed(stderr, () => {
      write(err, Buffer.from(mark));
      write(out, frame);
      end(0);
    }));
  };

  // The lines of a stack that are the script's, in its own name.
  const frames = (stack) => {
    const places = new RegExp(`(?:${[url, address].map((text) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")).join("|")}):(\\d+):(\\d+)`);
    return stack.split("\n").flatMap((text) => {
      if (!/^\s+at /.test(text)) return [];
      const found = places.exec(text);
      if (!found) return [];
      const [line, column] = [Number(found[1]), Number(found[2])];
      const shown = `${name}:${line}:${line === 1 && found[0].startsWith(url) ? Math.max(1, column - prefix) : column}`;
      let said = text.replace(found[0], () => shown);
      // Functions that eval has made say so.
      said = said.replace(/eval at [^,]*, /, "").replace(/^(\s+at )(async )?eval \((.*)\)$/, "$1$2$3")
        .replace(/^(\s+at [^(]*\.)eval( \[as )/, "$1<anonymous>$2");
      return [{ line, said }];
    });
  };

  const headline = (error) => {
    const kind = typeof error?.name === "string" ? error.name : "";
    let message = typeof error?.message === "string" ? error.message.replaceAll(address, () => name) : String(error);
    if (kind === "SyntaxError" && message === "Illegal return statement") {
      message += ": a module, which it is by its export or import, gives its result by export default";
    }
    return { kind, message, said: kind && message ? `${kind}: ${message}` : kind || message };
  };

  const failed = (error, where) => {
    try {
      if (error instanceof Unsayable) {
        return { error: { kind: "result", message: cut(error.message, 8192), line: null, traceback: "" } };
      }
      const isError = typeof error?.stack === "string";
      const { kind, message, said } = isError ? headline(error) : { kind: "", ...thrown(error) };
      const own = isError ? frames(error.stack) : [];
      let traceback = [said, ...own.map((frame) => frame.said)].join("\n");
      for (let cause = error?.cause, depth = 0; cause !== undefined && depth < 5; cause = cause?.cause, depth += 1) {
        const shown = typeof cause?.stack === "string" ? headline(cause).said : thrown(cause).said;
        const below = typeof cause?.stack === "string" ? frames(cause.stack).map((frame) => frame.said) : [];
        traceback = [traceback, `Caused by: ${shown}`, ...below].join("\n");
      }
      if (where) traceback = `${where.shown}\n${traceback}`;
      const line = where?.line ?? own[0]?.line ?? null;
      const told = { error: { kind, message: cut(message, 8192), line, traceback: cut(traceback + "\n") } };
      const limit = hit(error);
      if (limit) told.limit = limit;
      return told;
    } catch {
      return { error: { kind: "", message: "the script threw what cannot be told", line: null, traceback: "" } };
    }
  };

  const thrown = (value) => {
    let message = String(value);
    if (typeof value === "object" && value !== null && message === "[object Object]") message = JSON.stringify(value);
    return { message: `it threw ${typeof value === "string" ? "the text " + JSON.stringify(message) : message}`, said: `Uncaught ${message}` };
  };

  // The limit of the sandbox that an error stands for.
  const hit = (error) => {
    if (error instanceof RangeError && error.message === "Array buffer allocation failed") return "memory";
    if (error?.code === "ENOMEM") return "memory";
    if (error?.code === "EAGAIN" && String(error.syscall).startsWith("spawn")) return "processes";
    if (error?.code === "ERR_WORKER_INIT_FAILED") return "processes";
    return undefined;
  };

  // Where a syntax error is: what stands before it in the stack of one that vm has found.
  const where = (error) => {
    const head = String(error.stack).split(`\n${error.name}: `)[0].split("\n");
    for (const start of [name, url, address]) {
      if (!head[0].startsWith(start + ":")) continue;
      const line = Number(head[0].slice(start.length + 1));
      if (!Number.isInteger(line)) continue;
      let [source = "", carets = ""] = head.slice(1);
      if (line === 1 && source.startsWith(BODY[0])) [source, carets] = [source.slice(prefix), carets.slice(prefix)];
      return { line, shown: [`${name}:${line}`, source, carets].filter(Boolean).map((text) => cut(text, 1000)).join("\n") };
    }
    return undefined;
  };

  const BODY = ["(inputs=>async()=>{", "\n})"];

  // Compiles a function's body, or says what is wrong with it.
  const body = (source) => {
    const whole = BODY[0] + source + BODY[1];
    // vm names the line of a syntax error, and a source alone must be a body. But only what eval makes may import.
    new vm.Script(whole, { filename: name });
    new (async () => {}).constructor(source);
    return (0, eval)(`${whole}\n//# sourceURL=${url}`);
  };

  // Where a module's syntax error is: its imports and exports made harmless, and seen where vm finds the same.
  const within = (source, error) => {
    const harmless = source
      .replace(/^([ \t]*)export\s+default\b/gm, (all) => all.replace(/export(\s+)default/, "$1void "))
      .replace(/^([ \t]*)export\s*(\{[^}]*\}|\*)(\s*(as\s+\w+\s+)?from\s*(['"]).*?\5)?/gm, (all) => all.replace(/[^\n]/g, " "))
      .replace(/^([ \t]*)export\b/gm, "$1")
      .replace(/^([ \t]*)import\s+([^('"]*?\bfrom\s*)?(['"]).*?\3/gm, (all) => all.replace(/[^\n]/g, " "));
    try {
      new vm.Script(BODY[0] + "'use strict';" + harmless + BODY[1], { filename: name });
    } catch (found) {
      if (found.message === error.message) {
        const at = where(found);
        if (at) return { line: at.line, shown: [`${name}:${at.line}`, source.split("\n")[at.line - 1]].join("\n") };
      }
    }
    return undefined;
  };

  // Where a module imports what is not there, and what would be.
  const unimported = (source, error) => {
    if (!/^ERR_(INVALID_URL|UNSUPPORTED_RESOLVE_REQUEST|MODULE_NOT_FOUND|UNKNOWN_BUILTIN_MODULE)$/.test(error?.code)) return undefined;
    if (frames(String(error.stack)).length > 0) return undefined;
    const asked = error.input ?? /"([^"]*)"/.exec(error.message)?.[1] ?? /No such built-in module: (.*)/.exec(error.message)?.[1];
    const lines = source.split("\n");
    const at = lines.findIndex((text) => text.includes(`"${asked}"`) || text.includes(`'${asked}'`));
    error.message = `there is no module ${JSON.stringify(asked)}: a module can import Node's own ones, such as "node:fs"`;
    delete error.cause;
    return at < 0 ? undefined : { line: at + 1, shown: `${name}:${at + 1}\n${lines[at]}` };
  };

  const run = async (source, inputs) => {
    source = source.replace(/^\uFEFF/, "").replace(/^#!/, "//");
    let made;
    try {
      made = body(source);
    } catch (error) {
      const isModule = error instanceof SyntaxError && /\b(export|import)\b/.test(error.message);
      if (!isModule) return failed(error, where(error));
    }
    try {
      let value;
      if (made) {
        value = await made(inputs)();
      } else {
        globalThis.inputs = inputs;
        let space;
        try {
          space = await import(address);
        } catch (error) {
          const syntax = error instanceof SyntaxError && frames(String(error.stack)).length === 0;
          if (syntax) return failed(error, where(error) ?? within(source, error));
          return failed(error, unimported(source, error));
        }
        value = space.default;
        if (typeof value === "function") value = await value(inputs);
        else value = await value;
      }
      const result = plain(value, [], []);
      return { result: result === undefined ? null : result };
    } catch (error) {
      return failed(error);
    }
  };

  write(out, Buffer.from("ready\n"));
  const order = inOrder(0);
  mark = order.line();
  name = order.line();
  const lengths = order.line().split(" ").map(Number);
  const files = Array.from({ length: lengths[2] }, () => /^(\d+) (.*)$/.exec(order.line()));
  outputs = Array.from({ length: lengths[3] }, order.line);
  Array.from({ length: lengths[4] }, order.line);
  const source = order.bytes(lengths[0]).toString();
  const inputs = JSON.parse(order.bytes(lengths[1]).toString());
  // Neither holds what a stack could take apart.
  url = `procos:${encodeURIComponent(name).replace(/[()']/g, "_")}`;
  address = `data:text/javascript;base64,${Buffer.from(source.replace(/^\uFEFF/, "")).toString("base64")}`;
  prefix = BODY[0].length;

  for (const [, length, at] of files) {
    const content = order.bytes(Number(length));
    try {
      fs.writeFileSync(at, content);
    } catch (error) {
      answer({ error: { kind: error.code ?? "", message: `its input file ${at} could not be written: ${error.message}` } });
      return;
    }
  }
  try {
    fs.closeSync(0);
    fs.openSync("/dev/null", "r");
  } catch {
    // Then it reads what is at its end.
  }
  process.argv = [process.argv[0], name];

  process.on("uncaughtException", (error) => answer(failed(error)));
  process.on("unhandledRejection", (error) => answer(failed(error)));
  // Nothing is left to do, and the script is not done.
  process.on("beforeExit", () => answer({
    error: { kind: "", message: "the script awaits what never comes: nothing is left that could settle its promise", line: null, traceback: "" },
  }));
  process.on("exit", (status) => answer({
    error: { kind: "exit", message: `the script ended the process itself, with status ${status}; its result is what it returns`, line: null, traceback: "" },
  }));

  run(source, inputs).then(answer);
})();
