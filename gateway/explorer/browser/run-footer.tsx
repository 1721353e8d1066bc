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
            <li key={number}>
              <span className="number">{number}</span>
              <time dateTime={at.toISOString()}>{at.toLocaleTimeString('en-GB')}</time>
              <code>{text}</code>
              {cursor !== null && <span className="cursor">cursor {cursor}</span>}
            </li>
          ))}
        </ol>
      )}
    </div>
  );
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
