import { BOOLEAN, BOUND, COUNT, FACTOR, FINITE, RATIO, type Rule, STRING, TIME, TIMEOUT } from "../common/validate.js";

/** A JSON Schema, or a part of one. */
export type Schema = { readonly [keyword: string]: unknown };

/** A kind of plain value: what may stand there, in the words of an error and of a JSON Schema. */
export interface Plain {
  readonly rule: Rule;
  readonly schema: Schema;
}

/** A kind of value that is made of data: a strategy, a function of the user's by its name, a pattern. */
export type Made = "stop" | "wait" | "retryIf" | "ref" | "refs" | "pattern";

export type Kind = Plain | Made;

const number = (rule: Rule, schema: Schema): Plain => ({ rule, schema: { type: "number", ...schema } });

export const count: Plain = {
  rule: ["a whole number from 1", "number", (n) => COUNT[2]!(n) && n < Infinity],
  schema: { type: "integer", minimum: 1 },
};
/** ms that are really waited. */
export const time = /* @__PURE__ */ number(TIME, { minimum: 0 });
export const bound = /* @__PURE__ */ number(
  ["a finite number of ms from 0", "number", (ms) => BOUND[2]!(ms) && ms < Infinity],
  {
    minimum: 0,
  },
);
export const timeout = /* @__PURE__ */ number(
  ["a finite number of ms above 0", "number", (ms) => TIMEOUT[2]!(ms) && ms < Infinity],
  {
    exclusiveMinimum: 0,
  },
);
export const ratio = /* @__PURE__ */ number(RATIO, { minimum: 0 });
export const factor = /* @__PURE__ */ number(FACTOR, { minimum: 1 });
export const finite = /* @__PURE__ */ number(FINITE, {});
export const boolean: Plain = { rule: BOOLEAN, schema: { type: "boolean" } };
export const text: Plain = { rule: STRING, schema: { type: "string" } };
export const code: Plain = {
  rule: ["a string or a number", "any", (value) => typeof value === "string" || Number.isFinite(value)],
  schema: { type: ["string", "number"] },
};
/** What a value is counted in, where it is looked up in an error or a result. */
export const unit: Plain = {
  rule: ['"ms" or "s"', "string", (value) => value === "ms" || value === "s"],
  schema: { enum: ["ms", "s"] },
};
/** Where it is looked up. */
export const path: Plain = {
  rule: [
    "names joined by dots",
    "string",
    (value: string) => value !== "" && value.split(".").every((name) => name !== "" && name !== "__proto__"),
  ],
  schema: { type: "string", pattern: "^(?!__proto__(\\.|$))[^.]+(\\.(?!__proto__(\\.|$))[^.]+)*$" },
};
