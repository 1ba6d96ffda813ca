// The types of Node 20 have no node:sqlite yet.
declare module "node:sqlite" {
  export class DatabaseSync {
    constructor(path: string, options?: { timeout?: number });
    readonly isTransaction: boolean;
    exec(sql: string): void;
    prepare(sql: string): {
      get(...values: any[]): Record<string, unknown> | undefined;
      all(...values: any[]): Record<string, unknown>[];
      run(...values: any[]): { changes: number | bigint };
    };
  }
}
