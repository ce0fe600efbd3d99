/*
 * Who sends to whom, and what has become of every message: only so that the
 * driver knows when everything has arrived.  The checker does its own sums.
 *
 * Clients 0 .. clients - 1 chat; the silent ones behind them only receive, from
 * anybody, and their messages are numbered per recipient.
 */
#ifndef CHAOS_LEDGER_H
#define CHAOS_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

enum { PARTNERS = 4 };

void ledger_init(unsigned clients, unsigned silent);
void ledger_free(void);

/* Client `from`'s k-th partner. */
unsigned ledger_partner(unsigned from, unsigned k);

/* The number of a new message; numbers are per sender and recipient. */
uint32_t ledger_send(unsigned from, unsigned to);
void ledger_acknowledged(unsigned from, unsigned to, uint32_t number);
/* Came back as an error. */
void ledger_bounced(unsigned from, unsigned to, uint32_t number);
/* True the first time; false also for what was never sent. */
bool ledger_received(unsigned from, unsigned to, uint32_t number);

/* Messages acknowledged by the server that have not arrived. */
uint64_t ledger_outstanding(void);

#endif
