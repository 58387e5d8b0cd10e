// A week of quarters of an hour: what is painted, as a plain array, and the rows of times that say the same.

export const QUARTERS = 96;
export const FILLS = ["off", "continuous", "activity"];
export const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

export const emptyWeek = () => new Uint8Array(7 * QUARTERS);

// [weekday, start minute, end minute, mode], as the server keeps them.
export function fromBlocks(blocks) {
  const week = emptyWeek();
  for (const [day, start, end, mode] of blocks) week.fill(FILLS.indexOf(mode), day * QUARTERS + start / 15, day * QUARTERS + end / 15);
  return week;
}

// Everything between two corners, both included.
export function paint(week, from, to, fill) {
  const painted = week.slice();
  const [top, bottom] = [Math.min(from.day, to.day), Math.max(from.day, to.day)];
  const [left, right] = [Math.min(from.start, to.start), Math.max(from.end, to.end)];
  for (let day = top; day <= bottom; day++) painted.fill(fill, day * QUARTERS + left, day * QUARTERS + right);
  return painted;
}

export function copyDay(week, from, days) {
  const copied = week.slice();
  const source = week.slice(from * QUARTERS, (from + 1) * QUARTERS);
  for (const day of days) copied.set(source, day * QUARTERS);
  return copied;
}

export function isSame(one, other) {
  return one.every((fill, index) => fill === other[index]);
}

// 25 -> 06:15; 96 -> 24:00.
export function clock(quarter) {
  return `${String(Math.floor(quarter / 4)).padStart(2, "0")}:${String((quarter % 4) * 15).padStart(2, "0")}`;
}

// "6", "6:15", "0615" as a quarter of the day, or null; as the server reads them.
export function quarterOf(text) {
  const match = /^(\d{1,2})(?:[:.h]?(\d{2}))?$/.exec(text.trim());
  if (!match) return null;
  const minutes = Number(match[1]) * 60 + Number(match[2] || 0);
  return Number(match[2] || 0) < 60 && minutes <= 1440 && minutes % 15 === 0 ? minutes / 15 : null;
}

// The same times on several days are one row.
export function toRows(week) {
  const found = new Map();
  for (let day = 0; day < 7; day++) {
    let start = 0;
    for (let at = 1; at <= QUARTERS; at++) {
      const fill = week[day * QUARTERS + start];
      if (at < QUARTERS && week[day * QUARTERS + at] === fill) continue;
      const key = `${start}-${at}-${fill}`;
      if (fill && !found.has(key)) found.set(key, { days: [], start, end: at, fill });
      if (fill) found.get(key).days.push(day);
      start = at;
    }
  }
  return [...found.values()].sort((one, other) => one.days[0] - other.days[0] || one.start - other.start);
}

// Rows as they were typed; null when one of them cannot be read, or two of them contradict one another.
export function fromRows(rows) {
  const week = emptyWeek();
  for (const { days, from, to, mode } of rows) {
    if (!days.length && !from.trim() && !to.trim()) continue;
    const [start, last] = [quarterOf(from), quarterOf(to)];
    if (start === null || last === null) return null;
    const end = last || QUARTERS;
    const fill = FILLS.indexOf(mode);
    for (const day of days) {
      const parts = start < end ? [[day, start, end]] : [[day, start, QUARTERS], [(day + 1) % 7, 0, end]];
      for (const [on, first, stop] of parts) {
        for (let at = on * QUARTERS + first; at < on * QUARTERS + stop; at++) {
          if (week[at] && week[at] !== fill) return null;
          week[at] = fill;
        }
      }
    }
  }
  return week;
}
