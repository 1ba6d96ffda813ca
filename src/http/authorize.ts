import { LruMap } from "../common/lru-map.js";
import type { HttpRequest } from "./request.js";

/** What a `Headers` is made of. */
export type HeadersGiven = NonNullable<ConstructorParameters<typeof Headers>[0]>;

/** Returns the headers that authorise a request. `renew`: those that it returned before were refused with a 401. */
export type Authorize = (asked: {
  readonly request: HttpRequest;
  readonly renew: boolean;
}) => HeadersGiven | Promise<HeadersGiven>;

interface Renewal {
  /** When it ended, among all that the client asked for; Infinity while it goes on. */
  ended: number;
  readonly headers: Promise<HeadersGiven>;
}

/** What a client's calls know of each other's authorisation: one renewal serves all that were refused what came before it. */
export class Renewals {
  /** By key: the last renewal that did not fail. */
  readonly #last: LruMap<{ renewal: Renewal | undefined }>;
  #asked = 0;

  constructor(max: number) {
    this.#last = new LruMap(max, (): { renewal: Renewal | undefined } => ({ renewal: undefined }));
  }

  /** The number of an asking that begins now. */
  next(): number {
    return ++this.#asked;
  }

  /**
   * The headers of the renewal that a 401 leads to, where the request of this key was authorised at `asked`: one that ended
   * later, since that request was sent with what was there before; or else a new one, which `renew` makes.
   */
  after(key: string, asked: number, renew: () => HeadersGiven | Promise<HeadersGiven>): Promise<HeadersGiven> {
    const kept = this.#last.get(key);
    if (kept.renewal && kept.renewal.ended > asked) return kept.renewal.headers;
    const headers = new Promise<HeadersGiven>((resolve) => resolve(renew()));
    const renewal: Renewal = { ended: Infinity, headers };
    kept.renewal = renewal;
    headers.then(
      () => {
        renewal.ended = this.next();
      },
      () => {
        // Those that wait for it share its failure; a later call may try again.
        if (kept.renewal === renewal) kept.renewal = undefined;
      },
    );
    return headers;
  }
}
