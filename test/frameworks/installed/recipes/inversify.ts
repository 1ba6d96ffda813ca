import "reflect-metadata";
import { Container, inject, injectable } from "inversify";
import { Retry, stopAfterAttempt } from "undaunted";

@injectable()
export class Users {
  constructor(@inject("load") private readonly source: (id: string) => Promise<string>) {}

  @Retry({ stop: stopAfterAttempt(3) })
  async load(id: string) {
    return this.source(id);
  }
}

export const container = new Container({ defaultScope: "Singleton" });
container.bind(Users).toSelf();
