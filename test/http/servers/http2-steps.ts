import { constants, type ServerHttp2Stream } from "node:http2";
import type { Exchange, Step } from "./step.js";

/** Refuses the stream: the client learns that its request was not processed at all. */
export function refuseStream(): Step {
  return {
    early: true,
    play: (exchange) => streamOf("refuseStream", exchange).close(constants.NGHTTP2_REFUSED_STREAM),
  };
}

/**
 * Says that the session is over, and that this request was not processed (its stream is above the last one named).
 * Node names no stream below the first, so a request must have come over the session before.
 */
export function goaway(): Step {
  return {
    early: true,
    play: (exchange) => {
      const stream = streamOf("goaway", exchange);
      if (!exchange.seen.reused) throw new Error("goaway: no request has come over this session before");
      // A client's streams have odd numbers.
      stream.session!.goaway(constants.NGHTTP2_NO_ERROR, stream.id! - 2);
    },
  };
}

function streamOf(owner: string, { stream }: Exchange): ServerHttp2Stream {
  if (!stream) throw new Error(`${owner}: the request came over HTTP/1.1`);
  return stream;
}
