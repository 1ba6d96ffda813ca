import type { OutgoingHttpHeaders } from "node:http";
import type { Answer, Step } from "./step.js";

export interface Content {
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
}

export const oneMegabyte: Uint8Array = Buffer.alloc(2 ** 20, "m");

const tenBytes = "0123456789";

/** Answers, and leaves the connection as the client wants it. */
export function respond(status: number, content: Content = {}): Step {
  return { play: ({ answer }) => void answer.end(begin(answer, status, content)) };
}

/** Answers as one that would keep the connection, and ends it all the same. */
export function respondThenClose(status: number, content: Content = {}): Step {
  return {
    play: ({ answer, end }) => {
      answer.once("finish", end);
      answer.end(begin(answer, status, content));
    },
  };
}

/** Answers with the headers of the whole body and the first half of it, then resets the connection. */
export function resetInBody(status = 200, content: Content = { body: tenBytes }): Step {
  return { play: ({ answer, reset }) => void answer.write(firstHalf(begin(answer, status, content)), reset) };
}

/** Answers with the headers of the whole body and the first half of it, and no more. */
export function hangInBody(status = 200, content: Content = { body: tenBytes }): Step {
  return { play: ({ answer }) => void answer.write(firstHalf(begin(answer, status, content))) };
}

/** Answers with a body that goes on for as long as the client takes it. */
export function endlessBody(status = 200, headers: OutgoingHttpHeaders = {}): Step {
  return {
    play: ({ answer }) => {
      const chunk = Buffer.alloc(2 ** 14, "e");
      const more = (): void => {
        while (answer.write(chunk));
        answer.once("drain", more);
      };
      answer.writeHead(status, headers);
      more();
    },
  };
}

/** Resets the connection instead of an answer. */
export function resetBeforeHeaders(): Step {
  return { play: ({ reset }) => reset() };
}

/** Never answers. */
export function hang(): Step {
  return { play: () => {} };
}

/**
 * Ends a kept-alive connection, unanswered, just as its next request comes: what a client meets whose request crosses
 * the server's end of an idle connection. Where the connection is new the script does not fit, and `close()` says so.
 */
export function closeKeptAlive(): Step {
  return {
    early: true,
    play: ({ seen, end }) => {
      if (!seen.reused) throw new Error(`closeKeptAlive: request ${seen.number} came over a new connection`);
      end();
    },
  };
}

/** Plays a step as soon as the headers of the request are there, while its body may still be coming. */
export function whileUploading(step: Step): Step {
  return { ...step, early: true };
}

/** Writes the headers, and answers the body that they promise. */
function begin(answer: Answer, status: number, { headers, body = "" }: Content): Buffer {
  const bytes = Buffer.from(body);
  const bodiless = status === 204 || status === 304;
  answer.writeHead(status, { ...(bodiless ? {} : { "content-length": bytes.length }), ...headers });
  return bytes;
}

function firstHalf(bytes: Buffer): Buffer {
  if (bytes.length < 2) throw new Error(`a body of ${bytes.length} bytes cannot be cut in half`);
  return bytes.subarray(0, bytes.length >> 1);
}
