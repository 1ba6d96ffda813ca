import { FORMS, type Form } from "./forms.js";
import type { Kind, Schema } from "./kinds.js";
import { OPTIONS_AS_DATA } from "./options.js";
import { type Role, STRATEGY_ROLES } from "./read.js";

const REF: Schema = { $ref: "#/$defs/ref" };
const REFS: Schema = { anyOf: [REF, { type: "array", items: REF, minItems: 1 }] };
const PATTERN: Schema = {
  anyOf: [
    { type: "string" },
    {
      type: "object",
      properties: { pattern: { type: "string", format: "regex" }, flags: { type: "string", pattern: "^[dgimsuvy]*$" } },
      required: ["pattern"],
      additionalProperties: false,
    },
  ],
};

/** The JSON Schema of policies as data, of the very tables that `policyFrom` reads by. */
export function policySchema(): Schema {
  const properties = Object.entries(OPTIONS_AS_DATA).map(([name, kinds]) => [name, anyOf(kinds.map(schemaOf))]);
  const strategies = STRATEGY_ROLES.map((role) => [role, strategySchema(role)]);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A retry policy",
    type: "object",
    properties: { $schema: { type: "string" }, ...Object.fromEntries(properties) },
    additionalProperties: false,
    $defs: {
      ref: {
        description: "What data cannot hold, by its name in refs.",
        type: "object",
        properties: { ref: { type: "string" } },
        required: ["ref"],
        additionalProperties: false,
      },
      ...Object.fromEntries(strategies),
    },
  };
}

function strategySchema(role: Role): Schema {
  const forms = Object.entries(FORMS[role]);
  const alone = forms.filter(([, form]) => isAlone(form)).map(([name]) => name);
  const named = forms.filter(([, form]) => form.shape !== "constant");
  return anyOf([
    { enum: alone },
    ...named.map(([name, form]) => ({
      type: "object",
      properties: { [name]: argumentsSchema(form) },
      required: [name],
      additionalProperties: false,
    })),
    REF,
  ]);
}

function isAlone(form: Form): boolean {
  return form.shape === "constant" || (form.shape === "arguments" && form.least === 0);
}

function argumentsSchema(form: Form): Schema {
  if (form.shape === "constant") return {};
  if (form.shape === "list") {
    const item = schemaOf(form.kind);
    return anyOf([item, { type: "array", items: item, minItems: 1 }]);
  }
  if (form.shape === "options") {
    return {
      type: "object",
      properties: Object.fromEntries(Object.entries(form.options).map(([name, kind]) => [name, schemaOf(kind)])),
      required: form.required,
      additionalProperties: false,
    };
  }
  const items = form.args.map(([, kind]) => schemaOf(kind));
  const [only] = items as [Schema];
  if (items.length === 1) return only;
  const several = { type: "array", prefixItems: items, minItems: Math.max(1, form.least), items: false };
  return form.least > 1 ? several : anyOf([only, several]);
}

function schemaOf(kind: Kind): Schema {
  if (typeof kind === "object") return kind.schema;
  if (kind === "ref") return REF;
  if (kind === "refs") return REFS;
  return kind === "pattern" ? PATTERN : { $ref: `#/$defs/${kind}` };
}

function anyOf(schemas: readonly Schema[]): Schema {
  return schemas.length === 1 ? schemas[0]! : { anyOf: schemas };
}
