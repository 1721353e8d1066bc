import type { TripConstraintsRow, TripDocumentRow, TripLegRow, TripRow } from './trip.entities.ts';

export type TripView = TripRow;
export type TripLegView = TripLegRow;
export type TripConstraintsView = TripConstraintsRow;
export type TripDocumentView = TripDocumentRow;
