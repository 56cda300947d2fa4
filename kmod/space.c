// SPDX-License-Identifier: GPL-2.0-only
/*
 * space.c: an IOMMU domain, which IOVAs it has, and what is mapped where
 *
 * space->lock is never held while user memory is touched: pinning can wait for a page that its
 * owner, or a file system or a userfaultfd that the owner runs, never delivers. A mapping that is
 * being made stands in the tree as pending, so that nobody else takes its place.
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "sluice_pci.h"

/* IOVAs that no mapping may use. */
struct sluice_hole {
	struct list_head entry;
	u64 first;
	u64 last;
};

/* A domain and what is mapped in it. @lock protects what follows it. */
struct sluice_space {
	struct kref kref;		/* the space file and each group attached hold one */
	struct work_struct free;	/* for whoever must not do it himself */
	struct iommu_domain *domain;	/* several threads may map at once, in different places */
	struct mutex lock;
	struct rb_root_cached tree;	/* mappings */
	struct list_head holes;		/* reserved ranges of the groups, ascending, apart */
	u64 aperture_first, aperture_last; /* what the IOMMU can translate */
	unsigned int attached;		/* groups */
	unsigned int entries;		/* in @tree */
	u64 locked;			/* bytes pinned */
};

static unsigned long sluice_space_page_sizes(const struct sluice_space *space)
{
	return space->domain->pgsize_bitmap & PAGE_MASK;
}

static u64 sluice_space_granule(const struct sluice_space *space)
{
	return 1ULL << __ffs(sluice_space_page_sizes(space));
}

/* ---- which IOVAs ---- */

/* Whole granules inside [first, last], if there are any. */
static bool sluice_whole_granules(u64 first, u64 last, u64 mask, struct sluice_iova_range *range)
{
	u64 up = (first + mask) & ~mask;

	if (up < first || last < mask)
		return false;
	if ((last & mask) != mask)
		last = (last & ~mask) - 1;
	range->first = up;
	range->last = last;
	return up < last;
}

/**
 * sluice_space_next_range - walk the usable IOVAs in ascending order
 * @space: locked
 * @from: where to begin
 * @range: filled
 *
 * Returns false when there are no more.
 */
static bool sluice_space_next_range(struct sluice_space *space, u64 from,
				    struct sluice_iova_range *range)
{
	u64 mask = sluice_space_granule(space) - 1;
	u64 first = max(from, space->aperture_first);
	struct sluice_hole *hole;

	list_for_each_entry(hole, &space->holes, entry) {
		if (hole->last < first)
			continue;
		if (hole->first > first &&
		    sluice_whole_granules(first, min(hole->first - 1, space->aperture_last), mask, range))
			return true;
		if (hole->last >= space->aperture_last)
			return false;
		first = hole->last + 1;
	}
	return first <= space->aperture_last &&
	       sluice_whole_granules(first, space->aperture_last, mask, range);
}

static bool sluice_space_usable(struct sluice_space *space, u64 first, u64 last)
{
	struct sluice_iova_range range;
	u64 from = 0;

	while (sluice_space_next_range(space, from, &range)) {
		if (first >= range.first && last <= range.last)
			return true;
		if (range.last >= last)
			break;
		from = range.last + 1;
	}
	return false;
}

static struct sluice_mapping *sluice_space_first(struct sluice_space *space, u64 first, u64 last)
{
	struct interval_tree_node *node = interval_tree_iter_first(&space->tree, first, last);

	return node ? container_of(node, struct sluice_mapping, node) : NULL;
}

static bool sluice_is_hole(const struct iommu_resv_region *region)
{
	/* relaxable: firmware used it once, and a user's driver may not need it */
	return region->type != IOMMU_RESV_DIRECT_RELAXABLE && region->length;
}

/* Insert one reserved range, ascending, melting those that it touches. */
static void sluice_space_add_hole(struct sluice_space *space, struct sluice_hole *new)
{
	struct sluice_hole *hole, *next;

	list_for_each_entry_safe(hole, next, &space->holes, entry) {
		if (hole->last < new->first)
			continue;
		if (hole->first > new->last) {
			list_add_tail(&new->entry, &hole->entry);
			return;
		}
		new->first = min(new->first, hole->first);
		new->last = max(new->last, hole->last);
		list_del(&hole->entry);
		kfree(hole);
	}
	list_add_tail(&new->entry, &space->holes);
}

static void sluice_free_list(struct list_head *list)
{
	struct sluice_hole *hole, *next;

	list_for_each_entry_safe(hole, next, list, entry) {
		list_del(&hole->entry);
		kfree(hole);
	}
}

/*
 * The reserved ranges of a group, refused with -EINVAL where something is mapped already. They are
 * added to the space by the caller once nothing can fail any more.
 */
static int sluice_space_collect_holes(struct sluice_space *space, struct iommu_group *group,
				      struct list_head *holes)
{
	struct iommu_resv_region *region, *next;
	LIST_HEAD(regions);
	int ret;

	ret = iommu_get_group_resv_regions(group, &regions);
	list_for_each_entry_safe(region, next, &regions, list) {
		struct sluice_hole *hole = NULL;

		if (!ret && region->type == IOMMU_RESV_SW_MSI)
			ret = -EOPNOTSUPP;
		if (!ret && sluice_is_hole(region)) {
			hole = kzalloc(sizeof(*hole), GFP_KERNEL);
			if (!hole)
				ret = -ENOMEM;
		}
		if (hole) {
			hole->first = region->start;
			hole->last = region->start + region->length - 1;
			if (sluice_space_first(space, hole->first, hole->last))
				ret = -EINVAL;
			list_add_tail(&hole->entry, holes);
		}
		list_del(&region->list);
		kfree(region);
	}
	return ret;
}

static void sluice_space_take_holes(struct sluice_space *space, struct list_head *holes)
{
	struct sluice_hole *hole, *next;

	list_for_each_entry_safe(hole, next, holes, entry) {
		list_del(&hole->entry);
		sluice_space_add_hole(space, hole);
	}
}

/* ---- groups come and go ---- */

/*
 * Before 6.12 a VT-d domain calls its aperture 57 bits wide whatever the IOMMU can do, and refuses,
 * with a line in the log, what is above only when it is mapped. So ask, once the domain is attached
 * and while it is empty: 48 bits, or 39, which all have. The answer is kept, for the sake of the
 * log.
 */
static bool sluice_narrow;

static void sluice_space_probe_width(struct sluice_space *space)
{
	u64 granule = sluice_space_granule(space);
	u64 iova = BIT_ULL(48) - granule;
	struct page *page;

	if (space->aperture_last < BIT_ULL(48))
		return;
	page = alloc_pages(GFP_KERNEL | __GFP_ZERO, get_order(granule));
	if (page && !READ_ONCE(sluice_narrow)) {
		if (sluice_iommu_map(space->domain, iova, page_to_phys(page), granule, IOMMU_READ))
			WRITE_ONCE(sluice_narrow, true);
		else
			iommu_unmap(space->domain, iova, granule);
	}
	space->aperture_last = BIT_ULL(page && !READ_ONCE(sluice_narrow) ? 48 : 39) - 1;
	if (page)
		__free_pages(page, get_order(granule));
}

/**
 * sluice_space_attach - let a group's DMA go through a space
 * @space: whose reference the caller keeps while it is attached
 * @group: whose DMA ownership the caller has
 */
int sluice_space_attach(struct sluice_space *space, struct iommu_group *group)
{
	LIST_HEAD(holes);
	int ret;

	mutex_lock(&space->lock);
	ret = sluice_space_collect_holes(space, group, &holes);
	if (!ret) {
		ret = iommu_attach_group(space->domain, group);
		if (ret && ret != -ENOMEM && ret != -ENODEV)
			ret = -EINVAL;
	}
	if (!ret) {
		/*
		 * has an effect on what is mapped from now on only, so it comes before anything is
		 */
		if (!space->entries && space->domain->ops->enforce_cache_coherency)
			space->domain->ops->enforce_cache_coherency(space->domain);
		if (!space->entries && !space->attached)
			sluice_space_probe_width(space);
		space->attached++;
		sluice_space_take_holes(space, &holes);
	}
	mutex_unlock(&space->lock);
	sluice_free_list(&holes);
	return ret;
}

void sluice_space_detach(struct sluice_space *space, struct iommu_group *group)
{
	mutex_lock(&space->lock);
	iommu_detach_group(space->domain, group);
	space->attached--;
	mutex_unlock(&space->lock);
}

/* ---- ioctls ---- */

static int sluice_do_info(void *obj, void *arg)
{
	struct sluice_space *space = obj;
	struct sluice_space_info *info = arg;
	struct sluice_iova_range range, *out;
	u32 room = min(info->num_ranges, 512U);
	u64 from = 0;
	int ret = 0;

	out = kcalloc(room, sizeof(*out), GFP_KERNEL);
	if (!out)
		return -ENOMEM;
	info->num_ranges = 0;
	info->address_bits = 0;
	mutex_lock(&space->lock);
	while (sluice_space_next_range(space, from, &range)) {
		if (info->num_ranges < room)
			out[info->num_ranges] = range;
		info->num_ranges++;
		info->address_bits = fls64(range.last);
		if (range.last == U64_MAX)
			break;
		from = range.last + 1;
	}
	info->page_sizes = sluice_space_page_sizes(space);
	info->entry_limit = READ_ONCE(sluice_dma_entry_limit);
	info->entries = space->entries;
	info->locked = space->locked;
	mutex_unlock(&space->lock);
	room = min(room, info->num_ranges);
	if (room && copy_to_user(u64_to_user_ptr(info->ranges), out, room * sizeof(*out)))
		ret = -EFAULT;
	kfree(out);
	return ret;
}

/* Put a pending mapping into the tree, if there is room. */
static int sluice_space_reserve(struct sluice_space *space, struct sluice_mapping *m)
{
	int ret = 0;

	mutex_lock(&space->lock);
	if (!sluice_space_usable(space, m->node.start, m->node.last))
		ret = -EINVAL;
	else if (sluice_space_first(space, m->node.start, m->node.last))
		ret = -EEXIST;
	else if (space->entries >= READ_ONCE(sluice_dma_entry_limit))
		ret = -ENOSPC;
	if (!ret) {
		interval_tree_insert(&m->node, &space->tree);
		space->entries++;
		space->locked += (u64)m->npages << PAGE_SHIFT;
	}
	mutex_unlock(&space->lock);
	return ret;
}

/* space->lock is held. */
static void sluice_space_forget(struct sluice_space *space, struct sluice_mapping *m)
{
	interval_tree_remove(&m->node, &space->tree);
	space->entries--;
	space->locked -= (u64)m->npages << PAGE_SHIFT;
}

static int sluice_do_map(void *obj, void *arg)
{
	struct sluice_space *space = obj;
	struct sluice_space_map *req = arg;
	u64 mask = sluice_space_granule(space) - 1;
	struct sluice_mapping *m;
	int prot = IOMMU_CACHE;
	u64 last, vlast;
	int ret;

	if (!req->flags || !req->length || ((req->vaddr | req->iova | req->length) & mask) ||
	    check_add_overflow(req->iova, req->length - 1, &last) ||
	    check_add_overflow(req->vaddr, req->length - 1, &vlast) || vlast > ULONG_MAX)
		return -EINVAL;
	if (req->flags & SLUICE_MAP_READ)
		prot |= IOMMU_READ;
	if (req->flags & SLUICE_MAP_WRITE)
		prot |= IOMMU_WRITE;

	m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
	if (!m)
		return -ENOMEM;
	m->node.start = req->iova;
	m->node.last = last;
	m->npages = req->length >> PAGE_SHIFT;
	m->write = req->flags & SLUICE_MAP_WRITE;
	m->pending = true;
	m->mm = current->mm;
	INIT_LIST_HEAD(&m->runs);

	ret = sluice_space_reserve(space, m);
	if (ret)
		goto free;
	ret = account_locked_vm(m->mm, m->npages, true);
	if (ret)
		goto forget;
	mmgrab(m->mm);
	ret = sluice_map_pages(space->domain, m, req->vaddr, prot);
	if (ret) {
		/* never more than was mapped: some IOMMU drivers take that for a bug */
		if (m->mapped)
			iommu_unmap(space->domain, m->node.start, m->mapped);
		mutex_lock(&space->lock);
		sluice_space_forget(space, m);
		mutex_unlock(&space->lock);
		sluice_mapping_free(m);
		return ret;
	}
	mutex_lock(&space->lock);
	m->pending = false;
	mutex_unlock(&space->lock);
	return 0;

forget:
	mutex_lock(&space->lock);
	sluice_space_forget(space, m);
	mutex_unlock(&space->lock);
free:
	kfree(m);
	return ret;
}

/* space->lock is held. Moves the mappings in [first, last] to @list, or none of them. */
static int sluice_space_take(struct sluice_space *space, u64 first, u64 last, struct list_head *list)
{
	struct interval_tree_node *node;
	struct sluice_mapping *m, *next;

	for (node = interval_tree_iter_first(&space->tree, first, last); node;
	     node = interval_tree_iter_next(node, first, last)) {
		m = container_of(node, struct sluice_mapping, node);
		if (m->pending)
			return -EBUSY;
		if (node->start < first || node->last > last)
			return -EINVAL;
		list_add_tail(&m->entry, list);
	}
	list_for_each_entry_safe(m, next, list, entry) {
		WARN_ON_ONCE(iommu_unmap(space->domain, m->node.start, m->mapped) != m->mapped);
		sluice_space_forget(space, m);
	}
	return 0;
}

static int sluice_do_unmap(void *obj, void *arg)
{
	struct sluice_space *space = obj;
	struct sluice_space_unmap *req = arg;
	u64 mask = sluice_space_granule(space) - 1;
	bool all = req->flags & SLUICE_UNMAP_ALL;
	struct sluice_mapping *m, *next;
	u64 last = ULONG_MAX;
	LIST_HEAD(list);
	int ret;

	if (all ? req->iova || req->length :
	    !req->length || ((req->iova | req->length) & mask) ||
	    check_add_overflow(req->iova, req->length - 1, &last))
		return -EINVAL;
	req->unmapped = 0;
	mutex_lock(&space->lock);
	ret = sluice_space_take(space, req->iova, last, &list);
	mutex_unlock(&space->lock);
	if (ret)
		return ret;
	if (list_empty(&list) && !all)
		return -ENOENT;
	list_for_each_entry_safe(m, next, &list, entry) {
		req->unmapped += (u64)m->npages << PAGE_SHIFT;
		sluice_mapping_free(m);
	}
	return 0;
}

static const struct sluice_ioctl sluice_space_ioctls[] = {
	SLUICE_ENTRY(SPACE_INFO, space_info, SLUICE_OUT, 0, sluice_do_info),
	SLUICE_ENTRY(SPACE_MAP, space_map, 0, SLUICE_MAP_READ | SLUICE_MAP_WRITE, sluice_do_map),
	SLUICE_ENTRY(SPACE_UNMAP, space_unmap, SLUICE_OUT, SLUICE_UNMAP_ALL, sluice_do_unmap),
};

static long sluice_space_fop_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return sluice_ioctl(sluice_space_ioctls, ARRAY_SIZE(sluice_space_ioctls), file->private_data, NULL,
			    NULL, cmd, arg);
}

static int sluice_space_fop_release(struct inode *inode, struct file *file)
{
	sluice_space_put(file->private_data);
	return 0;
}

static const struct file_operations sluice_space_fops = {
	.owner = THIS_MODULE,
	.release = sluice_space_fop_release,
	.unlocked_ioctl = sluice_space_fop_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static void sluice_space_free(struct work_struct *work)
{
	struct sluice_space *space = container_of(work, struct sluice_space, free);
	struct sluice_mapping *m, *next;
	LIST_HEAD(list);

	mutex_lock(&space->lock);
	WARN_ON(sluice_space_take(space, 0, ULONG_MAX, &list));
	mutex_unlock(&space->lock);
	list_for_each_entry_safe(m, next, &list, entry)
		sluice_mapping_free(m);
	iommu_domain_free(space->domain);
	sluice_free_list(&space->holes);
	mutex_destroy(&space->lock);
	kfree(space);
}

static void sluice_space_free_now(struct kref *kref)
{
	sluice_space_free(&container_of(kref, struct sluice_space, kref)->free);
}

static void sluice_space_free_later(struct kref *kref)
{
	queue_work(sluice_state_wq, &container_of(kref, struct sluice_space, kref)->free);
}

void sluice_space_put(struct sluice_space *space)
{
	kref_put(&space->kref, sluice_space_free_now);
}

/* For remove(), since giving memory back waits for the owner's mmap lock. */
void sluice_space_put_later(struct sluice_space *space)
{
	kref_put(&space->kref, sluice_space_free_later);
}

/**
 * sluice_space_get_fd - look a space up
 * @fd: its fd
 *
 * Returns a reference or ERR_PTR(-EINVAL, -EBADF).
 */
struct sluice_space *sluice_space_get_fd(int fd)
{
	struct sluice_space *space = ERR_PTR(-EINVAL);
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op == &sluice_space_fops) {
		space = file->private_data;
		kref_get(&space->kref);
	}
	fput(file);
	return space;
}

/**
 * sluice_space_new - make a space that suits a device
 * @sdev: the device
 *
 * Returns its fd.
 */
int sluice_space_new(struct sluice_device *sdev)
{
	struct sluice_space *space;
	LIST_HEAD(holes);
	int ret;

	space = kzalloc(sizeof(*space), GFP_KERNEL_ACCOUNT);
	if (!space)
		return -ENOMEM;
	kref_init(&space->kref);
	mutex_init(&space->lock);
	INIT_WORK(&space->free, sluice_space_free);
	space->tree = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&space->holes);
	space->domain = sluice_domain_alloc(&sdev->pdev->dev);
	if (IS_ERR(space->domain)) {
		ret = PTR_ERR(space->domain);
		goto free;
	}
	space->aperture_first = space->domain->geometry.aperture_start;
	space->aperture_last = min_t(u64, space->domain->geometry.aperture_end, ULONG_MAX);
	ret = sluice_space_collect_holes(space, sdev->group->iommu_group, &holes);
	if (ret)
		goto free_domain;
	sluice_space_take_holes(space, &holes);
	ret = sluice_install_file("[sluice-space]", &sluice_space_fops, space, NULL);
	if (ret < 0)
		goto free_domain;
	return ret;

free_domain:
	iommu_domain_free(space->domain);
free:
	sluice_free_list(&holes);
	sluice_free_list(&space->holes);
	mutex_destroy(&space->lock);
	kfree(space);
	return ret;
}
