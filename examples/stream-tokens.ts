// How do I go on with a model's answer that was cut in the middle?
import { waitFullJitter } from "undaunted";
import { retryIterable } from "undaunted/iterable";

const answer = ["Re", "tries ", "should ", "be ", "few."];

/** Stands in for a client that streams tokens and can be told what was said already. */
async function* complete(prompt: string, { prefix = "" }): AsyncGenerator<string> {
  console.log(`asked: ${prompt}${prefix && `, after "${prefix}"`}`);
  let said = "";
  for (const token of answer) {
    said += token;
    if (said.length <= prefix.length) continue;
    yield token;
    if (said === "Retries " && prefix === "") throw new Error("terminated");
  }
}

let text = "";
const tokens = retryIterable(() => complete("Advice?", { prefix: text }), {
  attemptTimeout: 20_000, // ms to the next token
  wait: waitFullJitter({ base: 10, max: 1_000 }),
});

for await (const token of tokens) text += token;

console.log(text);

// prints:
// asked: Advice?
// asked: Advice?, after "Retries "
// Retries should be few.
