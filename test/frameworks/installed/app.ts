import {
  applyDecorators,
  Body,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Header,
  HttpCode,
  HttpException,
  type INestApplication,
  Injectable,
  Module,
  Param,
  ParseIntPipe,
  type PipeTransform,
  Post,
  Scope,
  ServiceUnavailableException,
  SetMetadata,
  UseGuards,
  UsePipes,
  ValidationPipe,
} from "@nestjs/common";
import { NestFactory, Reflector } from "@nestjs/core";
import { EventPattern, MessagePattern, Payload, Transport } from "@nestjs/microservices";
import { ExpressAdapter } from "@nestjs/platform-express";
import { FastifyAdapter } from "@nestjs/platform-fastify";
import { Cron, Interval, ScheduleModule } from "@nestjs/schedule";
import { ApiOperation, ApiProperty, ApiResponse } from "@nestjs/swagger";
import { IsInt } from "class-validator";
import { bulkhead, circuitBreaker, Retry, waitNone } from "undaunted";
import { isRetryableStatus } from "undaunted/http";
import { Idempotent } from "undaunted/idempotency";
import { Refused } from "./recipes/nest-filter.js";

/** What happened, in order. */
export const log: string[] = [];
/** How often each thing fails before it does not. */
export const failures = new Map<string, number>();

/** What each method does: it says that it was called, and fails as often as the test wants. */
function work<T>(name: string, value: T): T {
  log.push(name);
  const left = failures.get(name) ?? 1;
  failures.set(name, left - 1);
  if (left > 0) throw new ServiceUnavailableException("busy");
  return value;
}

export const slots = bulkhead({ limit: 2 });
export const breaker = circuitBreaker({ consecutiveFailures: 3 });

const retryIf = (error: unknown) => !(error instanceof HttpException) || isRetryableStatus(error.getStatus());
const Retried = () => Retry({ wait: waitNone, retryIf });

const Roles = (...roles: string[]) => SetMetadata("roles", roles);

@Injectable()
class RolesGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}
  canActivate(context: ExecutionContext) {
    const roles = this.reflector.get<string[] | undefined>("roles", context.getHandler());
    log.push(`guard of ${roles?.join()}`);
    return roles?.includes(context.switchToHttp().getRequest().headers["x-role"]) ?? false;
  }
}

class Noted implements PipeTransform {
  transform(value: unknown) {
    log.push("pipe");
    return value;
  }
}

export class Order {
  @ApiProperty()
  @IsInt()
  amount!: number;
}

@Injectable()
class Store {
  @Retried()
  @slots.wrap
  @breaker.wrap
  async find(id: number) {
    return work("service", { id });
  }

  @Retried()
  @Idempotent({ key: (order: string) => order })
  async book(order: string) {
    return work("book", `${order} booked`);
  }
}

@Injectable({ scope: Scope.REQUEST })
class PerRequest {
  readonly #id = log.length;
  @Retried()
  async who() {
    return work("per request", { own: this.#id >= 0 });
  }
}

/** Below and above everything that Nest puts on a method. */
const Everything = () =>
  applyDecorators(
    HttpCode(202),
    Header("x-kind", "order"),
    Roles("admin"),
    UseGuards(RolesGuard),
    UsePipes(Noted),
    ApiOperation({ summary: "an order" }),
    ApiResponse({ type: Order, status: 202 }),
  );

@Controller("orders")
class Orders {
  constructor(
    private readonly store: Store,
    private readonly perRequest: PerRequest,
  ) {}

  @Retried()
  @Post("outermost")
  @Everything()
  async outermost(@Body(new ValidationPipe()) order: Order) {
    return work("outermost", { amount: order.amount });
  }

  @Post("innermost")
  @Everything()
  @Retried()
  async innermost(@Body(new ValidationPipe()) order: Order) {
    return work("innermost", { amount: order.amount });
  }

  @Post("between")
  @HttpCode(202)
  @Header("x-kind", "order")
  @Roles("admin")
  @slots.wrap
  @UseGuards(RolesGuard)
  @Retried()
  @UsePipes(Noted)
  @breaker.wrap
  @ApiOperation({ summary: "an order" })
  @ApiResponse({ type: Order, status: 202 })
  async between(@Body(new ValidationPipe()) order: Order) {
    return work("between", { amount: order.amount });
  }

  @applyDecorators(breaker.wrap, slots.wrap, Retried(), Post("applied"), Everything())
  async applied(@Body(new ValidationPipe()) order: Order) {
    return work("applied", { amount: order.amount });
  }

  @Get("service/:id")
  async service(@Param("id", ParseIntPipe) id: number) {
    return this.store.find(id);
  }

  @Get("booked/:order")
  async booked(@Param("order") order: string) {
    return { first: await this.store.book(order), second: await this.store.book(order) };
  }

  @Get("per-request")
  async ofRequest() {
    return this.perRequest.who();
  }

  @Get("missing")
  @Retried()
  async missing() {
    log.push("missing");
    throw new HttpException("no such order", 404);
  }

  @MessagePattern({ cmd: "sum" })
  @Retried()
  async sumBelow(@Payload() numbers: number[]) {
    return work(
      "message below",
      numbers.reduce((a, b) => a + b, 0),
    );
  }

  @Retried()
  @MessagePattern({ cmd: "max" })
  async maxAbove(@Payload() numbers: number[]) {
    return work("message above", Math.max(...numbers));
  }

  @Retried()
  @EventPattern("ordered")
  async ordered(@Payload() order: string) {
    work("event", order);
    heard.emit?.(order);
  }
}

/** Called with what the event's handler got, when it has succeeded. */
export const heard: { emit?: (order: string) => void } = {};

const NEVER_OF_ITSELF = "0 0 1 1 *";

@Injectable()
export class Jobs {
  @Cron(NEVER_OF_ITSELF, { name: "below" })
  @Retried()
  async below() {
    work("cron below", undefined);
  }

  @Retried()
  @Cron(NEVER_OF_ITSELF, { name: "above" })
  async above() {
    work("cron above", undefined);
  }

  @applyDecorators(Retried(), Cron(NEVER_OF_ITSELF, { name: "applied" }))
  async applied() {
    work("cron applied", undefined);
  }

  @Retried()
  @Interval("interval", 86_400_000)
  async interval() {}
}

@Module({
  imports: [ScheduleModule.forRoot()],
  controllers: [Orders],
  providers: [Store, PerRequest, Jobs],
})
export class Shop {}

export const ADAPTERS = {
  Express: () => new ExpressAdapter(),
  Fastify: () => new FastifyAdapter(),
};

export type Adapter = keyof typeof ADAPTERS;

export async function start(adapter: Adapter): Promise<{ app: INestApplication; url: string }> {
  const app: INestApplication = await NestFactory.create(Shop, ADAPTERS[adapter]() as ExpressAdapter, {
    logger: false,
    abortOnError: false,
  });
  app.connectMicroservice({ transport: Transport.TCP, options: { host: "127.0.0.1", port: 0 } });
  app.useGlobalFilters(new Refused());
  await app.startAllMicroservices();
  await app.listen(0, "127.0.0.1");
  return { app, url: await app.getUrl() };
}
