// How do I retry the methods of a class?
import { currentAttempt, Retry, RetrySync, stopAfterAttempt, waitFixed } from "undaunted";

// One policy can serve many methods.
const policy = { stop: stopAfterAttempt(3), wait: waitFixed(10) };

class UserApi {
  private connections = 0;

  @Retry(policy)
  async load(id: string) {
    this.connections++;
    if (this.connections < 2) throw new Error("connection lost");
    return `user ${id} over connection ${this.connections}`;
  }

  @Retry(policy)
  static async ping() {
    return `pong in attempt ${currentAttempt().attempt}`;
  }

  @RetrySync(policy)
  readConfig() {
    const { attempt } = currentAttempt();
    if (attempt < 3) throw new Error("file is locked");
    return `config read in attempt ${attempt}`;
  }
}

const api = new UserApi();
console.log(await api.load("42"));
console.log(await UserApi.ping());
console.log(api.readConfig());

// prints:
// user 42 over connection 2
// pong in attempt 1
// config read in attempt 3
