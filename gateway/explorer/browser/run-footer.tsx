import { useSyncExternalStore } from 'react';
import type { Live, Run, Runs } from './runs.ts';

export function RunFooter({ runs }: { runs: Runs }) {
  const { last, live } = useSyncExternalStore(runs.subscribe, runs.log);
  return (
    <div className="run">
      <div role="status" className="run-line">
        {live ? (
          <LiveLine live={live} />
        ) : last ? (
          <LastRun run={last} />
        ) : (
          <span>Nothing has been run yet.</span>
        )}
      </div>
      {live && live.events.length > 0 && (
        <ol className="events" aria-label="Live events, latest first" reversed>
          {live.events.map(({ number, at, cursor, text }) => (
            <li key={number} data-cursor={cursor}>
              <span className="number">{number}</span>
              <time dateTime={at.toISOString()}>{at.toLocaleTimeString('en-GB')}</time>
              <span className="text" title={text}>
                {summaryOf(text)}
              </span>
              {cursor !== null && (
                <span className="cursor" title={`Cursor ${cursor}`}>
                  …{cursor.slice(-4)}
                </span>
              )}
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

const MOMENT = /^\d{4}-\d\d-\d\dT/;

/** What an event says besides its ids and times: enough to follow along; the whole of it is above, and in the title. */
function summaryOf(text: string): string {
  const words: string[] = [];
  const collect = (value: unknown, name: string): void => {
    if (value === null || name === 'id' || name === 'cursor' || name === '__typename') return;
    if (typeof value === 'string' && MOMENT.test(value)) return;
    if (typeof value === 'object')
      for (const [inner, part] of Object.entries(value as object)) collect(part, inner);
    else words.push(String(value));
  };
  collect(JSON.parse(text), '');
  return words.join(' · ');
}

const LastRun = ({ run: { status, milliseconds, bytes, cost, failed } }: { run: Run }) => (
  <>
    <span className={failed ? 'state bad' : 'state good'}>
      {failed ? 'answered with errors' : 'answered'}
    </span>
    <span>
      cost <b data-cost={cost}>{cost === null ? '–' : cost.toLocaleString('en')}</b>
    </span>
    <span>{milliseconds} ms</span>
    <span>{bytes.toLocaleString('en')} B</span>
    {status !== 200 && <span>HTTP {status}</span>}
  </>
);

const states: Record<Live['state'], string> = {
  connecting: 'connecting…',
  live: 'live',
  reconnecting: 'reconnecting, and resuming…',
  ended: 'ended',
};

const LiveLine = ({ live: { state, reason, received, resumed } }: { live: Live }) => (
  <>
    <span className={`state ${state}`} data-live={state}>
      {states[state]}
    </span>
    <span>
      <b>{received}</b> {received === 1 ? 'event' : 'events'}
    </span>
    {resumed > 0 && <span>resumed {resumed === 1 ? 'once' : `${resumed} times`}</span>}
    {reason !== null && <span>{reason}</span>}
  </>
);
