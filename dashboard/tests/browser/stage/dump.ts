// Thousands of boards at once: a database dump in upstream's schema, for `iotronic import`. Places are points on a spiral over
// the globe, so that the map has something to cluster; all of it is made up by counting.
import { writeFileSync } from 'node:fs';

/** Writes a dump of so many boards of a project: nine in ten seen before, the others never. */
export function writeDump(file: string, count: number, project: string, owner: string): void {
  const boards: string[] = [];
  const places: string[] = [];
  for (let n = 1; n <= count; n += 1) {
    const uuid = `b0a4d000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
    const status = n % 10 === 0 ? 'registered' : 'offline';
    boards.push(`('2021-03-01 10:00:00',NULL,${n},'${uuid}','CODE-${n}','${status}','${nameOf(n)}','server','agent-1','${owner}','${project}',NULL,'0.5.0',NULL,0,NULL,NULL)`);
    const latitude = (Math.asin(1 - (2 * n) / (count + 1)) * 150) / Math.PI;
    const longitude = ((n * 137.508) % 360) - 180;
    places.push(`(NULL,NULL,${n},'${longitude.toFixed(4)}','${latitude.toFixed(4)}','0',${n})`);
  }
  writeFileSync(file, [BOARDS, ...inserts('boards', boards), PLACES, ...inserts('locations', places), '-- Dump completed', ''].join('\n'));
}

/** The name of the nth board. */
export function nameOf(n: number): string {
  return `lamp-${String(n).padStart(5, '0')}`;
}

const ROWS = 500;

function inserts(table: string, rows: string[]): string[] {
  const lines: string[] = [];
  for (let at = 0; at < rows.length; at += ROWS) lines.push(`INSERT INTO \`${table}\` VALUES ${rows.slice(at, at + ROWS).join(',')};`);
  return lines;
}

const BOARDS = `-- MySQL dump 10.13
CREATE TABLE \`boards\` (
  \`created_at\` datetime DEFAULT NULL,
  \`updated_at\` datetime DEFAULT NULL,
  \`id\` int(11) NOT NULL AUTO_INCREMENT,
  \`uuid\` varchar(36) DEFAULT NULL,
  \`code\` varchar(36) DEFAULT NULL,
  \`status\` varchar(15) DEFAULT NULL,
  \`name\` varchar(255) DEFAULT NULL,
  \`type\` varchar(255) DEFAULT NULL,
  \`agent\` varchar(255) DEFAULT NULL,
  \`owner\` varchar(36) DEFAULT NULL,
  \`project\` varchar(36) DEFAULT NULL,
  \`fleet\` varchar(36) DEFAULT NULL,
  \`lr_version\` varchar(20) DEFAULT NULL,
  \`connectivity\` text DEFAULT NULL,
  \`mobile\` tinyint(1) DEFAULT NULL,
  \`config\` text DEFAULT NULL,
  \`extra\` text DEFAULT NULL,
  PRIMARY KEY (\`id\`)
) ENGINE=InnoDB;`;

const PLACES = `CREATE TABLE \`locations\` (
  \`created_at\` datetime DEFAULT NULL,
  \`updated_at\` datetime DEFAULT NULL,
  \`id\` int(11) NOT NULL AUTO_INCREMENT,
  \`longitude\` varchar(18) DEFAULT NULL,
  \`latitude\` varchar(18) DEFAULT NULL,
  \`altitude\` varchar(18) DEFAULT NULL,
  \`board_id\` int(11) NOT NULL,
  PRIMARY KEY (\`id\`)
) ENGINE=InnoDB;`;
