// The words of the API, by short names. Everything described by docs/openapi.json comes from there (generated.ts).
import type { components } from './generated';

type Schemas = components['schemas'];

export type Summary = Schemas['Summary'];
export type Board = Schemas['Board'];
export type BoardChange = Schemas['Change'];
export type BoardStatus = Schemas['Status'];
export type Facts = Schemas['Facts'];
export type Load = Schemas['Load'];
export type Position = Schemas['Position'];
export type Labels = Record<string, string>;
export type Claim = Schemas['Claim'];
export type NewClaim = Schemas['New'];
export type MadeClaim = Schemas['Made'];
export type Plugin = Schemas['Plugin'];
export type PluginSummary = Schemas['PluginSummary'];
export type NewPlugin = Schemas['NewPlugin'];
export type PluginChange = Schemas['PluginChange'];
export type PluginLimits = Schemas['PluginLimits'];
export type PluginStatus = Schemas['PluginStatus'];
export type Injection = Schemas['Injection'];
export type Injecting = Schemas['Injecting'];
export type OnBoot = Schemas['OnBoot'];
export type Service = Schemas['Service'];
export type NewService = Schemas['NewService'];
export type ServiceChange = Schemas['ServiceChange'];
export type Exposure = Schemas['Exposure'];
export type Fleet = Schemas['Fleet'];
export type NewFleet = Schemas['NewFleet'];
export type FleetChange = Schemas['FleetChange'];
export type Delegation = Schemas['Delegation'];
export type NewDelegation = Schemas['NewDelegation'];
export type Revoked = Schemas['Revoked'];
export type Contribution = Schemas['Contribution'];
export type NewContribution = Schemas['NewContribution'];
export type Hours = Schemas['Hours'];
export type Caps = Schemas['Caps'];
export type Offer = Schemas['Offer'];
export type NewBooking = Schemas['NewBooking'];
export type Parked = Schemas['Parked'];
export type Quota = Schemas['Quota'];
export type Transfer = Schemas['Transfer'];
export type Recording = Schemas['Recording'];
export type RecordingSetting = Schemas['RecordingSetting'];
export type RecordingWish = Schemas['RecordingWish'];
export type AuditReads = Schemas['AuditReads'];
export type AuditErase = Schemas['AuditErase'];
export type AuditRow = Schemas['AuditRow'];
export type AuditHead = Schemas['AuditHead'];
export type AuditProof = Schemas['AuditProof'];
export type Operation = Schemas['Operation'];
export type Asked = Schemas['Asked'];
export type OperationState = Schemas['State'];
export type OperationDetail = Schemas['Detail'];
export type LogLine = Schemas['LogLine'];
/** An event; what its body holds depends on its kind. */
export type CloudEvent = Omit<Schemas['Event'], 'body'> & { body: Record<string, unknown> };
export type Problem = Schemas['Problem'];
export type Kind = Schemas['Kind'];
export type Role = Schemas['Role'];
/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** One page of a list. */
export interface Page<T> {
  items: T[];
  next?: string | null;
}

/** Something with an id and a name. */
export interface Reference {
  id: string;
  name: string;
}

export type Session = Schemas['Session'];
export type System = Schemas['System'];
export type Subject = Schemas['Subject'];
/** A load report with its moment. */
export type LoadSample = Schemas['LoadSample'];
export type UiSettings = Schemas['Ui'];
