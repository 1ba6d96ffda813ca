import type { Clock } from "../../common/clock.js";
import type { AbortSource } from "../../common/interrupt.js";
import { type HttpResponse, headersOf } from "../request.js";
import { type Deadline, linkBody } from "./body-signals.js";
import { cancelCopies } from "./copy.js";
import { type Discarding, discard, release, type Streamed } from "./discard.js";

/**
 * The responses of one call, and whose their bodies are: ours until the call ends with one of them. What nobody gets is read
 * to its end, if that is near, or cancelled.
 */
export class HeldResponses<R extends HttpResponse> {
  #discarding: Discarding | undefined;
  /** The response that is not to be had any more. */
  #discarded: R | undefined;
  #unlink = () => {};
  /** What aborts the last one. */
  #controller: AbortController | undefined;

  constructor(
    private readonly streamOf: (response: R) => Streamed | null | undefined,
    private readonly clock: Clock,
  ) {}

  /** Lets `abortSources`, and a deadline, abort `controller` for as long as the body may be read. */
  link(response: R, controller: AbortController, abortSources: readonly AbortSource[], deadline?: Deadline): void {
    this.#controller = controller;
    const stream = this.streamOf(response);
    if (stream && (abortSources.length > 0 || deadline)) {
      this.#unlink = linkBody(controller, abortSources, stream, this.clock, deadline);
    }
  }

  /** Another attempt follows: nobody wants this response. */
  discard(response: R): void {
    this.#discarded = response;
    this.drain(response);
  }

  /** Reads what is left of a response, if that is little, so that its connection can be used again. */
  drain(response: R): void {
    const unlink = this.#unlink;
    cancelCopies(response);
    const begun = discard(this.streamOf(response), headersOf(response).get("content-length"), this.clock);
    this.#discarding = begun;
    if (!begun) return unlink();
    begun.done.then(() => {
      unlink();
      if (this.#discarding === begun) this.#discarding = undefined;
    });
  }

  /** When the last response is out of the way, and its connection free. */
  get drained(): Promise<void> | undefined {
    return this.#discarding?.done;
  }

  /** Gives up on keeping the connection of what is discarded. */
  cancelDiscarding(): void {
    this.#discarding?.cancel();
  }

  /** Whether a response can still be handed on. */
  has(response: R): boolean {
    return this.#discarded !== response;
  }

  /** An attempt ended in a response: a stand-in may hand out the same one each time. */
  received(response: R): void {
    if (this.#discarded === response) this.#discarded = undefined;
  }

  /** Lets go of a response at once. */
  release(response: R | undefined): void {
    if (!response) return;
    // An abort ends them, too, and Node 20 rejects a promise that nobody can handle where one is cancelled after it.
    if (!this.#controller?.signal.aborted) cancelCopies(response);
    release(this.streamOf(response));
    this.#unlink();
  }

  /** The call ends with a response, whose body is its caller's now: copies are nobody's any more. */
  handOn(response: R): R {
    cancelCopies(response);
    return response;
  }

  /** Whether `other` has the body of `response`. */
  isBodyIn(other: unknown, response: R | undefined): boolean {
    const stream = response && this.streamOf(response);
    return !!stream && !!other && this.streamOf(other as R) === stream;
  }
}
