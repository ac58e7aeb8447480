// One line for each test and one that counts them, in the form of Rust's own test programs, so that one chore counts both.
import type { Reporter, TestCase, TestModule } from 'vitest/node';

export class LineReporter implements Reporter {
  private readonly counts = { passed: 0, failed: 0, skipped: 0 };
  private broken = 0;

  onTestCaseResult(test: TestCase): void {
    const { state, errors } = test.result();
    if (state === 'pending') return;
    this.counts[state] += 1;
    const ends = { passed: 'ok', failed: 'FAILED', skipped: 'ignored' };
    const took = Math.round(test.diagnostic()?.duration ?? 0);
    console.log(`test ${test.module.relativeModuleId.replace('.browser.ts', '')}: ${test.fullName} ... ${ends[state]}`);
    if (process.env['S4T_TIMES']) console.log(`     ${took} ms`);
    this.explain(errors);
  }

  /** A file whose stage did not come up has tests that never ran. */
  onTestModuleEnd(module: TestModule): void {
    const own = [...module.errors(), ...[...module.children.suites()].flatMap((suite) => suite.errors())];
    if (own.length === 0) return;
    this.broken += 1;
    console.log(`test ${module.relativeModuleId}: its stage ... FAILED`);
    this.explain(own);
  }

  onTestRunEnd(_: readonly TestModule[], unhandled: readonly { message: string; stack?: string }[]): void {
    this.broken += unhandled.length;
    this.explain(unhandled);
    const { passed, failed, skipped } = this.counts;
    const all = failed + this.broken;
    console.log(`test result: ${all === 0 ? 'ok' : 'FAILED'}. ${passed} passed; ${all} failed; ${skipped} ignored`);
  }

  private explain(errors: readonly { message: string; stack?: string }[] | undefined): void {
    for (const { message, stack } of errors ?? []) {
      const where = stack?.split('\n').find((line) => line.includes('.browser.ts'))?.trim();
      console.log(`  ${[message, where].filter(Boolean).join('\n  ')}`);
    }
  }
}
