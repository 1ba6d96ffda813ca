import type { Clock } from "undaunted";

/** What a store does with one request at one instant, and what it then tells all that listen. */
export interface PureStore<Request, Reply, News> {
  exchange(request: Request, now: number): { readonly reply: Reply; readonly news?: News | undefined };
}

/** The store as one client sees it. */
export interface SimulatedTransport<Request, Reply, News> {
  exchange(request: Request): Promise<Reply>;
  /** Calls `listener` with each of the store's news; returns what ends that. */
  onNews(listener: (news: News) => void): () => void;
}

/** What happens to the store, at `at` ms. */
export type StoreEvent =
  /** Nobody reaches it for `lasts` ms, or nobody whom `clients` does not leave out; it keeps what it knows. */
  | { kind: "unreachable"; at: number; lasts: number; clients?: ((index: number) => boolean) | undefined }
  /** It forgets everything. */
  | { kind: "wiped"; at: number };

/** The way between clients and their store. */
export interface NetworkOptions {
  /** ms there and back, from 0. */
  readonly latency: number;
  /** The share of requests and replies that is lost, and that of news, from 0 to 1. */
  readonly loss: number;
  readonly newsLoss: number;
  readonly events: readonly StoreEvent[];
}

/** A store that many clients share, at the other end of a network that delays and loses, on virtual time. */
export class Network<Request, Reply, News> {
  /** Requests that the store has answered, by the second. */
  readonly exchanges: number[] = [];
  /** How often it had news. */
  news = 0;
  readonly #listeners: (readonly [index: number, listener: (news: News) => void])[] = [];
  readonly #away = new Set<Extract<StoreEvent, { kind: "unreachable" }>>();
  #store: PureStore<Request, Reply, News>;

  constructor(
    private readonly clock: Clock,
    private readonly random: () => number,
    private readonly options: NetworkOptions,
    makeStore: () => PureStore<Request, Reply, News>,
  ) {
    this.#store = makeStore();
    for (const event of options.events) {
      clock.setTimer(() => {
        if (event.kind === "wiped") this.#store = makeStore();
        else this.#cutOff(event);
      }, event.at);
    }
  }

  /** The store as client `index` sees it. What is lost is never answered. */
  transport(index: number): SimulatedTransport<Request, Reply, News> {
    return {
      exchange: (request) =>
        new Promise((resolve) => {
          const { loss } = this.options;
          this.#carry(index, loss, () => {
            const reply = this.#answer(request);
            this.#carry(index, loss, () => resolve(reply));
          });
        }),
      onNews: (listener) => {
        const each = [index, listener] as const;
        this.#listeners.push(each);
        return () => {
          const place = this.#listeners.indexOf(each);
          if (place >= 0) this.#listeners.splice(place, 1);
        };
      },
    };
  }

  #cutOff(event: Extract<StoreEvent, { kind: "unreachable" }>): void {
    this.#away.add(event);
    this.clock.setTimer(() => this.#away.delete(event), event.lasts);
  }

  /** Brings a message from one end to the other, if it arrives. */
  #carry(index: number, loss: number, arrive: () => void): void {
    const { latency } = this.options;
    if (!this.#reaches(index) || (loss > 0 && this.random() < loss)) return;
    this.clock.setTimer(() => {
      if (this.#reaches(index)) arrive();
    }, latency / 2);
  }

  #reaches(index: number): boolean {
    for (const { clients } of this.#away) if (!clients || clients(index)) return false;
    return true;
  }

  #answer(request: Request): Reply {
    const second = Math.floor(this.clock.now() / 1_000);
    while (this.exchanges.length <= second) this.exchanges.push(0);
    this.exchanges[second]!++;
    const { reply, news } = this.#store.exchange(request, this.clock.now());
    if (news !== undefined) {
      this.news++;
      const { newsLoss } = this.options;
      for (const [index, listener] of [...this.#listeners]) this.#carry(index, newsLoss, () => listener(news));
    }
    return reply;
  }
}
