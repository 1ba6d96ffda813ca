import { builders } from "./builders.js";
import { drivers } from "./drivers.js";
import { knexes } from "./knex.js";
import { mikroOrms } from "./mikro-orm.js";
import { prismas } from "./prisma.js";
import { sequelizes } from "./sequelize.js";
import type { Stack } from "./stack.js";
import { typeorms } from "./typeorm.js";

export type { Orm, Stack, Target, Work } from "./stack.js";
export { TABLES } from "./stack.js";

export const stacks: readonly Stack[] = [
  ...drivers,
  ...builders,
  ...knexes,
  ...sequelizes,
  ...typeorms,
  ...mikroOrms,
  ...prismas,
];
