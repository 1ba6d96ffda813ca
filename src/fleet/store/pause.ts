import type { FleetNews, PauseReply, PauseRequest } from "../protocol.js";
import { Kept } from "./common.js";

/** A pause as the store keeps it. */
export class StoredPause extends Kept {
  until = 0;
  length = 0;

  exchange(request: PauseRequest, now: number): { reply: PauseReply; news?: FleetNews } {
    const { key, pause, nonce } = request;
    const { again } = this.meet(request, now);
    const longer = pause > 0 && !again && nonce > 0 && now + pause > this.until;
    if (longer) {
      this.until = now + pause;
      this.length = pause;
    }
    this.expireAt = Math.max(now + 1, this.until);
    const remaining = Math.max(0, this.until - now);
    const { length } = this;
    const reply: PauseReply = { kind: "pause", tick: now, stretch: 1, known: 1, remaining, length };
    return longer ? { reply, news: { kind: "pause", key, remaining, length } } : { reply };
  }
}
