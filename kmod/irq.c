// SPDX-License-Identifier: GPL-2.0-only
/*
 * irq.c: MSI, MSI-X, the two notifications that are not the device's (error and request), and
 * SET_IRQS
 */
#include <linux/interrupt.h>
#include <linux/msi.h>
#include <linux/slab.h>

#include "compat.h"
#include "sluice_pci.h"

/* Vectors that a device has, of one kind. */
unsigned int sluice_irq_count(struct sluice_device *sdev, unsigned int index)
{
	struct pci_dev *pdev = sdev->pdev;

	switch (index) {
	case SLUICE_IRQ_INTX:
		return pdev->pin && !pdev->is_virtfn && pdev->irq && pdev->irq != IRQ_NOTCONNECTED;
	case SLUICE_IRQ_MSI:
		return sdev->msi_count;
	case SLUICE_IRQ_MSIX:
		return sdev->msix_size / PCI_MSIX_ENTRY_SIZE;
	case SLUICE_IRQ_ERR:
		return pci_is_pcie(pdev);
	case SLUICE_IRQ_REQ:
		return 1;
	default:
		return 0;
	}
}

int sluice_do_irq_info(void *obj, void *arg)
{
	struct sluice_device *sdev = obj;
	struct sluice_irq_info *info = arg;

	if (info->index >= SLUICE_NUM_IRQS)
		return -EINVAL;
	info->flags = SLUICE_IRQ_EVENTFD;
	info->count = sluice_irq_count(sdev, info->index);
	if (info->index == SLUICE_IRQ_INTX)
		info->flags |= SLUICE_IRQ_MASKABLE | SLUICE_IRQ_AUTOMASKED | SLUICE_IRQ_NORESIZE;
	if (info->index == SLUICE_IRQ_MSI ||
	    (info->index == SLUICE_IRQ_MSIX && !sluice_msix_can_grow(sdev->pdev)))
		info->flags |= SLUICE_IRQ_NORESIZE;
	return 0;
}

/* ---- memory decoding, which the MSI-X table needs ---- */

static bool sluice_set_command(struct sluice_device *sdev, u16 bit, bool on)
{
	unsigned long flags;
	u16 command;

	spin_lock_irqsave(&sdev->irq_lock, flags);
	pci_read_config_word(sdev->pdev, PCI_COMMAND, &command);
	if (!(command & bit) == on)
		pci_write_config_word(sdev->pdev, PCI_COMMAND, command ^ bit);
	spin_unlock_irqrestore(&sdev->irq_lock, flags);
	return command & bit;
}

/*
 * Until sluice_memory_drop() no one else reaches the BARs, and decoding is on. Returns whether it
 * was.
 */
static bool sluice_memory_hold(struct sluice_device *sdev)
{
	down_write(&sdev->memory_lock);
	return sluice_set_command(sdev, PCI_COMMAND_MEMORY, true);
}

static void sluice_memory_drop(struct sluice_device *sdev, bool was)
{
	if (!was)
		sluice_set_command(sdev, PCI_COMMAND_MEMORY, false);
	up_write(&sdev->memory_lock);
}

/* ---- MSI and MSI-X ---- */

static irqreturn_t sluice_msi_handler(int irq, void *data)
{
	struct sluice_vector *v = data;
	unsigned long flags;

	spin_lock_irqsave(&v->lock, flags);
	if (v->trigger)
		sluice_signal(v->trigger);
	spin_unlock_irqrestore(&v->lock, flags);
	return IRQ_HANDLED;
}

static struct eventfd_ctx *sluice_vector_swap(struct sluice_vector *v, struct eventfd_ctx *ctx)
{
	unsigned long flags;

	spin_lock_irqsave(&v->lock, flags);
	swap(ctx, v->trigger);
	spin_unlock_irqrestore(&v->lock, flags);
	return ctx;
}

/* Memory is held. The vector has its eventfd before its interrupt can come. */
static int sluice_vector_on(struct sluice_device *sdev, unsigned int i, struct eventfd_ctx *ctx)
{
	const char *kind = sdev->irq_kind == SLUICE_IRQ_MSIX ? "msix" : "msi";
	struct sluice_vector *v = &sdev->vectors[i];
	struct msi_msg msg;
	int ret;

	v->irq = pci_irq_vector(sdev->pdev, i);
	if (v->irq < 0)
		return v->irq;
	v->name = kasprintf(GFP_KERNEL, "sluice-%s[%u](%s)", kind, i, pci_name(sdev->pdev));
	if (!v->name)
		return -ENOMEM;
	/*
	 * the table is in the device, which may have been reset by its own registers since the
	 * kernel wrote it
	 */
	if (sdev->irq_kind == SLUICE_IRQ_MSIX) {
		get_cached_msi_msg(v->irq, &msg);
		pci_write_msi_msg(v->irq, &msg);
	}
	sluice_vector_swap(v, ctx);
	ret = request_irq(v->irq, sluice_msi_handler, 0, v->name, v);
	if (ret) {
		sluice_vector_swap(v, NULL);
		kfree(v->name);
		v->name = NULL;
	}
	return ret;
}

/* Memory is held. Returns the eventfd. */
static struct eventfd_ctx *sluice_vector_off(struct sluice_vector *v)
{
	if (v->name) {
		free_irq(v->irq, v);
		kfree(v->name);
		v->name = NULL;
	}
	return sluice_vector_swap(v, NULL);
}

static void sluice_msi_off(struct sluice_device *sdev)
{
	struct eventfd_ctx *ctx;
	unsigned long flags;
	unsigned int i;
	bool was;

	was = sluice_memory_hold(sdev);
	for (i = 0; i < sdev->num_vectors; i++) {
		ctx = sluice_vector_off(&sdev->vectors[i]);
		if (ctx)
			eventfd_ctx_put(ctx);
	}
	pci_free_irq_vectors(sdev->pdev);
	sluice_memory_drop(sdev, was);
	kvfree(sdev->vectors);
	sdev->vectors = NULL;
	sdev->num_vectors = 0;
	sdev->irq_kind = SLUICE_IRQ_OFF;
	/* which the kernel has turned on again, as for a driver that falls back to it */
	spin_lock_irqsave(&sdev->irq_lock, flags);
	pci_intx(sdev->pdev, 0);
	spin_unlock_irqrestore(&sdev->irq_lock, flags);
}

static int sluice_msi_on(struct sluice_device *sdev, unsigned int kind, unsigned int nvec)
{
	unsigned int max = sluice_irq_count(sdev, kind), i;
	bool was;
	int ret;

	sdev->vectors = kvcalloc(max, sizeof(*sdev->vectors), GFP_KERNEL_ACCOUNT);
	if (!sdev->vectors)
		return -ENOMEM;
	for (i = 0; i < max; i++)
		spin_lock_init(&sdev->vectors[i].lock);
	was = sluice_memory_hold(sdev);
	ret = pci_alloc_irq_vectors(sdev->pdev, nvec, nvec,
				    kind == SLUICE_IRQ_MSIX ? PCI_IRQ_MSIX : PCI_IRQ_MSI);
	sluice_memory_drop(sdev, was);
	if (ret < 0) {
		kvfree(sdev->vectors);
		sdev->vectors = NULL;
		return ret;
	}
	sdev->num_vectors = nvec;
	sdev->irq_kind = kind;
	return 0;
}

static int sluice_msix_grow(struct sluice_device *sdev, unsigned int nvec)
{
	bool was;
	int ret = 0;

	if (sdev->irq_kind != SLUICE_IRQ_MSIX || !sluice_msix_can_grow(sdev->pdev))
		return -EINVAL;
	was = sluice_memory_hold(sdev);
	while (!ret && sdev->num_vectors < nvec) {
		ret = sluice_msix_add(sdev->pdev, sdev->num_vectors);
		if (!ret)
			sdev->num_vectors++;
	}
	sluice_memory_drop(sdev, was);
	return ret;
}

/*
 * In two rounds, so that a failure changes nothing: what must be requested first, then what only
 * changes its eventfd or is turned off, which cannot fail. References that stay in @ctx are the
 * caller's to drop.
 */
static int sluice_msi_update(struct sluice_device *sdev, unsigned int start, unsigned int count,
			     struct eventfd_ctx **ctx)
{
	unsigned long *fresh = bitmap_zalloc(count, GFP_KERNEL);
	struct sluice_vector *v = sdev->vectors + start;
	unsigned int i;
	bool was;
	int ret = 0;

	if (!fresh)
		return -ENOMEM;
	was = sluice_memory_hold(sdev);
	for (i = 0; i < count && !ret; i++) {
		if (!ctx[i] || v[i].name)
			continue;
		ret = sluice_vector_on(sdev, start + i, ctx[i]);
		if (!ret)
			set_bit(i, fresh);
	}
	if (ret) {
		for_each_set_bit(i, fresh, count)
			sluice_vector_off(&v[i]);
	} else {
		for (i = 0; i < count; i++) {
			if (test_bit(i, fresh))
				ctx[i] = NULL;
			else if (ctx[i])
				ctx[i] = sluice_vector_swap(&v[i], ctx[i]);
			else
				ctx[i] = sluice_vector_off(&v[i]);
		}
	}
	sluice_memory_drop(sdev, was);
	bitmap_free(fresh);
	return ret;
}

static int sluice_msi_set(struct sluice_device *sdev, unsigned int kind, unsigned int start,
			  unsigned int count, struct eventfd_ctx **ctx)
{
	bool fresh = sdev->irq_kind == SLUICE_IRQ_OFF;
	int ret = 0;

	if (fresh)
		ret = sluice_msi_on(sdev, kind, start + count);
	else if (sdev->irq_kind != kind)
		ret = -EINVAL;
	else if (start + count > sdev->num_vectors)
		ret = sluice_msix_grow(sdev, start + count);
	if (ret)
		return ret;
	ret = sluice_msi_update(sdev, start, count, ctx);
	if (ret && fresh)
		sluice_msi_off(sdev);
	return ret;
}

/* ---- all kinds ---- */

/* Turn off whichever of INTX, MSI and MSIX is on. sdev->lock is held. */
void sluice_irqs_off(struct sluice_device *sdev)
{
	if (sdev->irq_kind == SLUICE_IRQ_INTX)
		sluice_intx_off(sdev);
	else if (sdev->irq_kind != SLUICE_IRQ_OFF)
		sluice_msi_off(sdev);
	sdev->virq_disabled = false;
}

/* Drop the eventfds of ERR and REQ. */
void sluice_irqs_forget(struct sluice_device *sdev)
{
	sluice_set_trigger(sdev, SLUICE_IRQ_ERR, NULL);
	sluice_set_trigger(sdev, SLUICE_IRQ_REQ, NULL);
}

/* Signal the eventfd of ERR or REQ, if there is one. */
void sluice_signal_kind(struct sluice_device *sdev, unsigned int kind)
{
	unsigned long flags;

	spin_lock_irqsave(&sdev->irq_lock, flags);
	if (sdev->trigger[kind])
		sluice_signal(sdev->trigger[kind]);
	spin_unlock_irqrestore(&sdev->irq_lock, flags);
}

static void sluice_kind_off(struct sluice_device *sdev, unsigned int index)
{
	if (index == SLUICE_IRQ_ERR || index == SLUICE_IRQ_REQ)
		sluice_set_trigger(sdev, index, NULL);
	else if (sdev->irq_kind == index)
		sluice_irqs_off(sdev);
}

static int sluice_pretend(struct sluice_device *sdev, const struct sluice_set_irqs *req)
{
	unsigned long flags;
	unsigned int i;

	if (req->index == SLUICE_IRQ_MSI || req->index == SLUICE_IRQ_MSIX) {
		if (sdev->irq_kind != req->index || req->start + req->count > sdev->num_vectors)
			return -EINVAL;
		for (i = req->start; i < req->start + req->count; i++)
			sluice_msi_handler(0, &sdev->vectors[i]);
		return 0;
	}
	spin_lock_irqsave(&sdev->irq_lock, flags);
	if (!sdev->trigger[req->index]) {
		spin_unlock_irqrestore(&sdev->irq_lock, flags);
		return -EINVAL;
	}
	sluice_signal(sdev->trigger[req->index]);
	spin_unlock_irqrestore(&sdev->irq_lock, flags);
	return 0;
}

static void sluice_put_eventfds(struct eventfd_ctx **ctx, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (ctx[i])
			eventfd_ctx_put(ctx[i]);
	kvfree(ctx);
}

static struct eventfd_ctx **sluice_get_eventfds(const s32 *fds, unsigned int count)
{
	struct eventfd_ctx **ctx = kvcalloc(count, sizeof(*ctx), GFP_KERNEL);
	unsigned int i;

	if (!ctx)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < count; i++) {
		struct eventfd_ctx *one = fds[i] == -1 ? NULL : eventfd_ctx_fdget(fds[i]);

		if (IS_ERR(one)) {
			sluice_put_eventfds(ctx, count);
			return ERR_CAST(one);
		}
		ctx[i] = one;
	}
	return ctx;
}

static int sluice_set_eventfds(struct sluice_device *sdev, const struct sluice_set_irqs *req,
			       const s32 *fds)
{
	struct eventfd_ctx **ctx = sluice_get_eventfds(fds, req->count);
	int ret;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	ret = sluice_device_enter(sdev);
	if (ret)
		goto put;
	switch (req->index) {
	case SLUICE_IRQ_INTX:
		ret = sluice_intx_set(sdev, ctx);
		break;
	case SLUICE_IRQ_MSI:
	case SLUICE_IRQ_MSIX:
		ret = sluice_msi_set(sdev, req->index, req->start, req->count, ctx);
		break;
	default:
		sluice_set_trigger(sdev, req->index, ctx[0]);
		ctx[0] = NULL;
		/* who asks late hears at once */
		if (req->index == SLUICE_IRQ_REQ && sdev->removing)
			sluice_signal_kind(sdev, SLUICE_IRQ_REQ);
	}
	mutex_unlock(&sdev->lock);
put:
	sluice_put_eventfds(ctx, req->count);
	return ret;
}

static int sluice_set_none(struct sluice_device *sdev, const struct sluice_set_irqs *req, u32 action)
{
	int ret = sluice_device_enter(sdev);

	if (ret)
		return ret;
	if (action == SLUICE_SET_TRIGGER) {
		if (req->count)
			ret = sluice_pretend(sdev, req);
		else
			sluice_kind_off(sdev, req->index);
	} else if (sdev->irq_kind != SLUICE_IRQ_INTX) {
		ret = -EINVAL;
	} else if (action == SLUICE_SET_MASK) {
		sluice_intx_do_mask(sdev);
	} else {
		sluice_intx_do_unmask(sdev);
	}
	mutex_unlock(&sdev->lock);
	return ret;
}

/* Everything that can be checked without the device's lock, before anything is allocated. */
static int sluice_check_set(struct sluice_device *sdev, const struct sluice_set_irqs *req,
			    u32 data, u32 action)
{
	u32 max;

	if (req->reserved || req->index >= SLUICE_NUM_IRQS || hweight32(data) != 1 ||
	    hweight32(action) != 1 || (data == SLUICE_SET_DATA_NONE && req->data))
		return -EINVAL;
	if (action != SLUICE_SET_TRIGGER && req->index != SLUICE_IRQ_INTX)
		return -EINVAL;
	if (action == SLUICE_SET_MASK && data == SLUICE_SET_DATA_EVENTFD)
		return -EINVAL;
	if (!req->count)
		return action == SLUICE_SET_TRIGGER && data == SLUICE_SET_DATA_NONE && !req->start ?
		       0 : -EINVAL;
	max = sluice_irq_count(sdev, req->index);
	return req->start < max && req->count <= max - req->start ? 0 : -EINVAL;
}

/* Takes the lock itself: the list of eventfds is user memory. */
int sluice_do_set_irqs(void *obj, void *arg)
{
	struct sluice_device *sdev = obj;
	struct sluice_set_irqs *req = arg;
	u32 data = req->flags & SLUICE_SET_DATA;
	u32 action = req->flags & SLUICE_SET_ACTION;
	s32 *fds;
	int ret = sluice_check_set(sdev, req, data, action);

	if (ret)
		return ret;
	if (data == SLUICE_SET_DATA_NONE)
		return sluice_set_none(sdev, req, action);
	fds = memdup_user(u64_to_user_ptr(req->data), req->count * sizeof(*fds));
	if (IS_ERR(fds))
		return PTR_ERR(fds);
	if (action == SLUICE_SET_UNMASK) {
		ret = sluice_device_enter(sdev);
		if (!ret) {
			ret = sdev->irq_kind == SLUICE_IRQ_INTX ? sluice_unmask_set(sdev, fds[0]) : -EINVAL;
			mutex_unlock(&sdev->lock);
		}
	} else {
		ret = sluice_set_eventfds(sdev, req, fds);
	}
	kfree(fds);
	return ret;
}
