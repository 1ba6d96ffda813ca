import type { GiveUpState } from "../common/attempt.js";
import type { Attempt } from "../common/current.js";
import type { Streamed } from "./bodies/discard.js";
import type { AttemptRequest, HttpRequest, HttpResponse } from "./request.js";

/** What a client is called with to send a request: what `fetch` takes, or an axios config. */
export type Sent = readonly unknown[];

/** A request of one client, and what is particular to that client. One for each call. */
export interface Transport<R extends HttpResponse = HttpResponse> {
  /** The request as the caller made it. */
  readonly request: HttpRequest;
  /** The origin that it goes to, as budgets and pauses are kept; `"null"` for a relative URL outside a page. */
  readonly origin: string;
  /** What hooks and errors call the call. */
  readonly name: string;
  /** Its body, if any, can be sent again. */
  readonly replayable: boolean;

  /** What is sent where nobody changes the request. No promise where nothing has to be waited for. */
  plain(attempt: number): Sent | Promise<Sent>;
  /** The request made anew, to be changed. */
  draft(attempt: Attempt): AttemptRequest | Promise<AttemptRequest>;
  /** What is sent of a draft. */
  finish(draft: AttemptRequest): Sent;
  /** Sends it. Whatever response there is is returned, also where the client makes an error of it. */
  send(sent: Sent, signal: AbortSignal | undefined): Promise<R>;

  /** Whether a server may have had the request before the attempt ended so: it was, or may have been, redirected. */
  mayHaveArrived(response: R | undefined, error: unknown): boolean;
  /** The error that an attempt fails with where its response is a failure. `listed`: it is one to the policy. */
  failure(response: R, hint: number | undefined): object;
  /** Whether the client itself takes the response for a failure. */
  refuses(response: R): boolean;
  /** What the client rejected with though it has a response, which broke off in its body. */
  brokenBy?(response: R): unknown;
  /** Whether a call that gives up returns its last response, rather than throw its error. */
  returns(state: GiveUpState): boolean;
  /** What is read piece by piece. */
  streamOf(response: R): Streamed | null | undefined;
}
