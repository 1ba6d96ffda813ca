import { type ArgumentsHost, Catch, type ExceptionFilter } from "@nestjs/common";
import { BulkheadFullError, CircuitOpenError } from "undaunted";
import { answerFailure } from "undaunted/server";

@Catch(CircuitOpenError, BulkheadFullError)
export class Refused implements ExceptionFilter {
  async catch(error: Error, host: ArgumentsHost) {
    const response = answerFailure(error);
    const reply = host.switchToHttp().getResponse();
    reply.status(response.status);
    for (const [name, value] of response.headers) reply.header(name, value);
    reply.send(await response.text());
  }
}
