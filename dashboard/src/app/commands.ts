// What a person tells a board: sent once, followed to its end, told by a toast. The operation lives in the cloud, so closing
// the page loses nothing.
import * as operationsApi from '../api/operations';
import { asFailure } from '../api/request';
import type { Operation, OperationDetail } from '../api/types';
import { live } from '../live/live.svelte';
import { hasEnded, verbOf } from '../live/reduce';
import { operations } from '../live/stores';
import type { OperationState } from '../api/types';
import { toasts } from './toasts.svelte';

/** Gives a command; a toast follows it. Nothing comes back when it was refused. */
export async function command(title: string, give: () => Promise<Operation>): Promise<Operation | undefined> {
  try {
    const operation = await give();
    operations.put(operation);
    toasts.show({ tone: 'plain', title, operation: operation.id });
    return operation;
  } catch (error) {
    toasts.fail(asFailure(error), title);
    return undefined;
  }
}

/** Does something that is done when it is answered, and tells `done`; true when it went well. */
export async function attempt(title: string, done: string, act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    toasts.good(done);
    return true;
  } catch (error) {
    toasts.fail(asFailure(error), title);
    return false;
  }
}

/** The operation once it has ended, with its result. */
export function ended(operation: string): Promise<OperationDetail> {
  return new Promise((done, failed) => {
    const look = (): void => {
      operationsApi.show(operation).then((detail) => {
        if (!hasEnded(detail.state)) return;
        end();
        done(detail);
      }, stop);
    };
    const stop = (error: unknown): void => {
      end();
      failed(asFailure(error));
    };
    const forgetEvents = live.listen((event) => {
      if (event.subject_id === operation && hasEnded(verbOf(event) as OperationState)) look();
    });
    const forgetResync = live.onResync(look);
    const end = (): void => {
      forgetEvents();
      forgetResync();
    };
    // It may have ended before anybody listened.
    look();
  });
}
