// SPDX-License-Identifier: GPL-2.0-only
/*
 * pin.c: user memory, pinned for as long as a device may reach it, and charged to its owner
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "sluice_pci.h"

/* A stretch of contiguous physical memory. */
struct sluice_run {
	unsigned long pfn;
	unsigned long npages;
};

/* A page full of them. */
struct sluice_runs {
	struct list_head entry;
	unsigned int count;
	struct sluice_run run[];
};

#define SLUICE_RUNS_PER_PAGE \
	((PAGE_SIZE - offsetof(struct sluice_runs, run)) / sizeof(struct sluice_run))

static int sluice_runs_add(struct sluice_mapping *m, unsigned long pfn, unsigned long npages)
{
	struct sluice_runs *runs = NULL;

	if (!list_empty(&m->runs))
		runs = list_last_entry(&m->runs, struct sluice_runs, entry);
	if (!runs || runs->count == SLUICE_RUNS_PER_PAGE) {
		runs = (struct sluice_runs *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!runs)
			return -ENOMEM;
		list_add_tail(&runs->entry, &m->runs);
	}
	runs->run[runs->count].pfn = pfn;
	runs->run[runs->count++].npages = npages;
	return 0;
}

static void sluice_unpin_run(unsigned long pfn, unsigned long npages, bool dirty)
{
	unpin_user_page_range_dirty_lock(pfn_to_page(pfn), npages, dirty);
}

static void sluice_mapping_unpin(struct sluice_mapping *m)
{
	struct sluice_runs *runs, *next;
	unsigned int i;

	list_for_each_entry_safe(runs, next, &m->runs, entry) {
		for (i = 0; i < runs->count; i++)
			sluice_unpin_run(runs->run[i].pfn, runs->run[i].npages, m->write);
		list_del(&runs->entry);
		free_page((unsigned long)runs);
		cond_resched();
	}
}

void sluice_mapping_free(struct sluice_mapping *m)
{
	sluice_mapping_unpin(m);
	/* an mm that has lost its last user has no memory left to account for */
	if (mmget_not_zero(m->mm)) {
		account_locked_vm(m->mm, m->npages, false);
		mmput(m->mm);
	}
	mmdrop(m->mm);
	kfree(m);
}

/*
 * Memory that the process may write is made private to it now, even if the device only reads it: a
 * page shared copy-on-write would otherwise stay with the device when the process moves on to its
 * copy.
 */
static long sluice_pin(unsigned long vaddr, unsigned long npages, bool write, struct page **pages)
{
	long n = pin_user_pages_fast(vaddr, npages, FOLL_WRITE | FOLL_LONGTERM, pages);

	if (n == -EFAULT && !write)
		n = pin_user_pages_fast(vaddr, npages, FOLL_LONGTERM, pages);
	return n ? n : -EFAULT;
}

/* The IOMMU driver makes the largest pages that address, alignment and length of a run allow. */
static int sluice_map_run(struct iommu_domain *domain, struct sluice_mapping *m, u64 iova,
			  unsigned long pfn, unsigned long npages, int prot)
{
	int ret = sluice_runs_add(m, pfn, npages);

	if (ret) {
		sluice_unpin_run(pfn, npages, false);
		return ret;
	}
	ret = sluice_iommu_map(domain, iova, PFN_PHYS(pfn), npages << PAGE_SHIFT, prot);
	if (!ret)
		m->mapped += npages << PAGE_SHIFT;
	return ret;
}

int sluice_map_pages(struct iommu_domain *domain, struct sluice_mapping *m, unsigned long vaddr,
		     int prot)
{
	const unsigned long batch = PAGE_SIZE / sizeof(struct page *);
	unsigned long done = 0, start = 0, pfn = 0, len = 0, i;
	u64 iova = m->node.start;
	struct page **pages;
	long n;
	int ret = 0;

	pages = (struct page **)__get_free_page(GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	while (done < m->npages && !ret) {
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		n = sluice_pin(vaddr + (done << PAGE_SHIFT), min(batch, m->npages - done), m->write, pages);
		if (n < 0) {
			ret = n;
			break;
		}
		for (i = 0; i < n; i++) {
			unsigned long p = page_to_pfn(pages[i]);

			if (!ret && len && p == pfn + len) {
				len++;
				continue;
			}
			if (!ret && len)
				ret = sluice_map_run(domain, m, iova + (start << PAGE_SHIFT), pfn, len, prot);
			if (ret) {
				/* pinned, in no run yet */
				sluice_unpin_run(p, 1, false);
				len = 0;
				continue;
			}
			start = done + i;
			pfn = p;
			len = 1;
		}
		done += n;
		cond_resched();
	}
	if (len && !ret)
		ret = sluice_map_run(domain, m, iova + (start << PAGE_SHIFT), pfn, len, prot);
	else if (len)
		sluice_unpin_run(pfn, len, false);
	free_page((unsigned long)pages);
	return ret;
}
