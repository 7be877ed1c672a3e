/** The documents of this tab before a reload: those that were read, and those whose reading goes on. */

/** Put them into the queue; resolves to {items, isUnread}: whether some are still to be read. */
export async function reopen(kept, past, queue) {
  const read = await past.restore();
  const begun = await kept.restore(past.visits.isBack);
  const done = new Set(read.map(({ id }) => id));
  const unread = begun.filter(({ id }) => !done.has(id));
  for (const document of unread) document.edits = await past.editsOf(document.id);
  const isHere = ({ id }) => queue.items.some(({ kept: own }) => own === id); // added while this was looked up
  const found = [...read, ...unread].filter((document) => !isHere(document)).sort((a, b) => a.since - b.since);
  const items = found.length ? queue.restore(found) : [];
  for (const item of items) if (item.reading) past.adopt(item);
  return { items, isUnread: unread.length > 0 };
}
