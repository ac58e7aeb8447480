// The files in the order of their names, and the one that looks back at all of them last.
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const LAST = 'calls.browser.ts';

export class InOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLast = (file: TestSpecification): number => Number(file.moduleId.endsWith(LAST));
    return [...files].sort((a, b) => isLast(a) - isLast(b) || (a.moduleId < b.moduleId ? -1 : 1));
  }
}
