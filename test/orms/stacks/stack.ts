/** What the tests do through each ORM, by its own means where it has any: `raw` is the only text of ours. */
export interface Work {
  /** An account's balance. */
  read(id: number): Promise<unknown>;
  /** Adds to an account's balance. */
  add(id: number, amount: number): Promise<unknown>;
  /** Inserts a charge: a table without a unique key of ours, so that it shows what was done twice. */
  charge(): Promise<unknown>;
  /** Inserts an entry, whose `id` is unique and whose `account` must be there. */
  enter(id: number, account: number): Promise<unknown>;
  raw(text: string): Promise<unknown>;
}

export interface Orm extends Work {
  /** As the ORM's manual has it. `isolated`: serializable in PostgreSQL, MariaDB's default. */
  transaction(work: (tx: Work) => Promise<unknown>, isolated?: boolean): Promise<unknown>;
  close(): Promise<unknown>;
}

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** How many connections the pool may hold. */
  readonly max: number;
  /** How long a call waits for one of them, in ms. */
  readonly patience: number;
}

export interface Stack {
  readonly name: string;
  readonly database: "postgres" | "mariadb";
  /** Whose versions are recorded. */
  readonly packages: readonly string[];
  open(target: Target): Promise<Orm>;
}

export const TABLES: Readonly<Record<Stack["database"], readonly string[]>> = {
  postgres: [
    "create table accounts (id int primary key, balance int not null)",
    "create table entries (id int primary key, account int not null references accounts (id))",
    "create table charges (id serial primary key, n int not null)",
  ],
  mariadb: [
    "create table accounts (id int primary key, balance int not null)",
    "create table entries (id int primary key, account int not null, foreign key (account) references accounts (id))",
    "create table charges (id int auto_increment primary key, n int not null)",
  ],
};

/** The work of whoever takes text and nothing else. */
export function workOfText(raw: (text: string) => Promise<unknown>): Work {
  return {
    raw,
    read: (id) => raw(`select balance from accounts where id = ${id}`),
    add: (id, amount) => raw(`update accounts set balance = balance + ${amount} where id = ${id}`),
    charge: () => raw("insert into charges (n) values (1)"),
    enter: (id, account) => raw(`insert into entries (id, account) values (${id}, ${account})`),
  };
}
