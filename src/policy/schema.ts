import type { GrpcRetryPolicy } from "./data.js";
import { GRPC_CODES } from "./foreign.js";
import { FORMS, type Form } from "./forms.js";
import { count, type Kind, type Schema } from "./kinds.js";
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
  const strategies = STRATEGY_ROLES.map((role) => [role, strategySchema(role)]);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A retry policy",
    type: "object",
    // As policyFrom tells them apart, so that a mistake is one of the form that was meant.
    ...whereThereIs(["retryPolicy"], "methodConfig", whereThereIs(["retryMode"], "awsRetryMode", GRPC_OR_OURS)),
    $defs: {
      policy: policy(),
      methodConfig: object({ ...EDITORS, retryPolicy: grpcRetryPolicy({}), name: {} }, "retryPolicy"),
      grpcRetryPolicy: grpcRetryPolicy(EDITORS),
      grpcCode: grpcCode(),
      awsRetryMode: object({ ...EDITORS, retryMode: { const: "standard" }, maxAttempts: count.schema }, "retryMode"),
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

function whereThereIs(names: readonly string[], then: string, otherwise: Schema): Schema {
  return { if: { required: names }, then: { $ref: `#/$defs/${then}` }, else: otherwise };
}

const GRPC_OR_OURS = whereThereIs(["maxAttempts", "initialBackoff"], "grpcRetryPolicy", { $ref: "#/$defs/policy" });

function policy(): Schema {
  const options = Object.entries(OPTIONS_AS_DATA).map(([name, kinds]) => [name, anyOf(kinds.map(schemaOf))]);
  return object({ ...EDITORS, ...Object.fromEntries(options) });
}

function grpcRetryPolicy(more: Readonly<Record<string, Schema>>): Schema {
  const code = { $ref: "#/$defs/grpcCode" };
  const duration = { type: "string", pattern: "^(?=.*[1-9])\\d{1,12}(\\.\\d{1,9})?s$" };
  const properties: Record<keyof GrpcRetryPolicy, Schema> = {
    maxAttempts: { type: "integer", minimum: 2 },
    initialBackoff: duration,
    maxBackoff: duration,
    backoffMultiplier: { type: "number", minimum: 1 },
    retryableStatusCodes: { type: "array", items: code, minItems: 1 },
  };
  return object({ ...more, ...properties }, ...Object.keys(properties));
}

/** Names in any case; those in capitals are what an editor offers. */
function grpcCode(): Schema {
  const anyCase = GRPC_CODES.map((code) => code.replace(/[A-Z]/g, (letter) => `[${letter}${letter.toLowerCase()}]`));
  return {
    anyOf: [
      { enum: GRPC_CODES },
      { type: "string", pattern: `^(${anyCase.join("|")})$` },
      { type: "integer", minimum: 0, maximum: GRPC_CODES.length - 1 },
    ],
  };
}

/** An editor's word for where the schema is. */
const EDITORS = { $schema: { type: "string" } };

function object(properties: Readonly<Record<string, Schema>>, ...required: string[]): Schema {
  return {
    type: "object",
    properties,
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
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
