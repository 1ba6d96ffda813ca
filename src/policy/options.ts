import { ASYNC } from "../loop/policy.js";
import { boolean, type Kind, text, timeout } from "./kinds.js";

const PLAIN: Readonly<Record<string, readonly Kind[]>> = {
  stop: ["stop"],
  wait: ["wait"],
  retryIf: ["retryIf"],
  retryExhausted: [boolean],
  attemptTimeout: [timeout, "ref"],
  totalTimeout: [timeout],
  name: [text],
  unref: [boolean],
  detached: [boolean],
};

/** What each option of a policy may be as data. What a policy takes and no data can hold is a reference. */
export const OPTIONS_AS_DATA: Readonly<Record<string, readonly Kind[]>> = /* @__PURE__ */ (() =>
  Object.fromEntries(Object.keys(ASYNC.table).map((name) => [name, PLAIN[name] ?? ["ref"]])))();
