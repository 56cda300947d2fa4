// SPDX-License-Identifier: GPL-2.0-only
/*
 * unmask.c: unmask INTx whenever an eventfd is signalled
 *
 * The eventfd wakes us with its own lock held, and it may be the file's last close that wakes us.
 * Neither the work nor the taking down can be done there, so both go to a queue; whoever must know
 * that it is over flushes that queue.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "sluice_pci.h"

/*
 * An eventfd that is watched. The device outlives it: INTx is turned off, and the queue flushed,
 * before it goes.
 */
struct sluice_unmask {
	struct sluice_device *sdev;
	struct eventfd_ctx *eventfd;
	wait_queue_entry_t wait;	/* in the eventfd's queue */
	poll_table poll;		/* how it gets there */
	struct work_struct fired;	/* unmasks */
	struct work_struct end;		/* frees */
};

static struct workqueue_struct *sluice_unmask_wq;

/* Whoever takes sdev->unmask away under this lock queues its end, once. */
static DEFINE_SPINLOCK(sluice_unmask_lock);

static void sluice_unmask_fired(struct work_struct *work)
{
	struct sluice_unmask *u = container_of(work, struct sluice_unmask, fired);

	sluice_intx_do_unmask(u->sdev);
}

static void sluice_unmask_end(struct work_struct *work)
{
	struct sluice_unmask *u = container_of(work, struct sluice_unmask, end);
	u64 count;

	/* takes the eventfd's lock: no wake-up is on its way after this */
	eventfd_ctx_remove_wait_queue(u->eventfd, &u->wait, &count);
	flush_work(&u->fired);
	eventfd_ctx_put(u->eventfd);
	kfree(u);
}

static int sluice_unmask_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct sluice_unmask *u = container_of(wait, struct sluice_unmask, wait);
	__poll_t events = key_to_poll(key);
	unsigned long flags;
	u64 count;

	if (events & EPOLLIN) {
		eventfd_ctx_do_read(u->eventfd, &count);
		queue_work(sluice_unmask_wq, &u->fired);
	}
	if (events & EPOLLHUP) {
		spin_lock_irqsave(&sluice_unmask_lock, flags);
		if (u->sdev->unmask == u) {
			u->sdev->unmask = NULL;
			queue_work(sluice_unmask_wq, &u->end);
		}
		spin_unlock_irqrestore(&sluice_unmask_lock, flags);
	}
	return 0;
}

static void sluice_unmask_queue(struct file *file, wait_queue_head_t *head, poll_table *poll)
{
	struct sluice_unmask *u = container_of(poll, struct sluice_unmask, poll);

	add_wait_queue(head, &u->wait);
}

/**
 * sluice_unmask_clear - watch no eventfd any more
 * @sdev: with its lock held; when this returns, nothing of it runs
 */
void sluice_unmask_clear(struct sluice_device *sdev)
{
	unsigned long flags;

	spin_lock_irqsave(&sluice_unmask_lock, flags);
	if (sdev->unmask) {
		queue_work(sluice_unmask_wq, &sdev->unmask->end);
		sdev->unmask = NULL;
	}
	spin_unlock_irqrestore(&sluice_unmask_lock, flags);
	/* also for one that its last close has taken away */
	flush_workqueue(sluice_unmask_wq);
}

/**
 * sluice_unmask_set - watch another eventfd
 * @sdev: with its lock held and INTx on
 * @fd: the eventfd, -1 for none
 */
int sluice_unmask_set(struct sluice_device *sdev, int fd)
{
	struct sluice_unmask *u;
	struct file *file;
	unsigned long flags;
	__poll_t events;

	if (fd == -1) {
		sluice_unmask_clear(sdev);
		return 0;
	}
	u = kzalloc(sizeof(*u), GFP_KERNEL_ACCOUNT);
	if (!u)
		return -ENOMEM;
	file = eventfd_fget(fd);
	if (IS_ERR(file)) {
		kfree(u);
		return PTR_ERR(file);
	}
	u->sdev = sdev;
	u->eventfd = eventfd_ctx_fileget(file);
	INIT_WORK(&u->fired, sluice_unmask_fired);
	INIT_WORK(&u->end, sluice_unmask_end);
	init_waitqueue_func_entry(&u->wait, sluice_unmask_wake);
	init_poll_funcptr(&u->poll, sluice_unmask_queue);

	sluice_unmask_clear(sdev);
	spin_lock_irqsave(&sluice_unmask_lock, flags);
	sdev->unmask = u;
	spin_unlock_irqrestore(&sluice_unmask_lock, flags);
	/* the file is ours until fput(), so no close can take it down meanwhile */
	events = vfs_poll(file, &u->poll);
	if (events & EPOLLIN)
		queue_work(sluice_unmask_wq, &u->fired);
	fput(file);
	return 0;
}

int sluice_unmask_init(void)
{
	sluice_unmask_wq = alloc_workqueue("sluice_unmask", WQ_MEM_RECLAIM, 0);
	return sluice_unmask_wq ? 0 : -ENOMEM;
}

void sluice_unmask_exit(void)
{
	destroy_workqueue(sluice_unmask_wq);
}
