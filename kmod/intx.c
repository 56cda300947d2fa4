// SPDX-License-Identifier: GPL-2.0-only
/*
 * intx.c: INTx. Masked by the module when it fires, unmasked by its owner; COMMAND.INTX_DISABLE is
 * the owner's wish
 */
#include <linux/interrupt.h>
#include <linux/slab.h>

#include "compat.h"
#include "sluice_pci.h"

/* irq_lock is held, INTx is on and not masked. */
static void sluice_intx_hw_mask(struct sluice_device *sdev)
{
	if (sdev->pci_2_3)
		pci_intx(sdev->pdev, 0);
	else
		disable_irq_nosync(sdev->pdev->irq);
	sdev->masked = true;
}

static irqreturn_t sluice_intx_handler(int irq, void *data)
{
	struct sluice_device *sdev = data;
	irqreturn_t ret = IRQ_NONE;
	unsigned long flags;

	spin_lock_irqsave(&sdev->irq_lock, flags);
	if (!sdev->pci_2_3) {
		/* the line is ours alone */
		if (!sdev->masked)
			sluice_intx_hw_mask(sdev);
		ret = IRQ_HANDLED;
	} else if (!sdev->masked && pci_check_and_mask_intx(sdev->pdev)) {
		sdev->masked = true;
		ret = IRQ_HANDLED;
	}
	if (ret == IRQ_HANDLED && sdev->trigger[SLUICE_IRQ_INTX])
		sluice_signal(sdev->trigger[SLUICE_IRQ_INTX]);
	spin_unlock_irqrestore(&sdev->irq_lock, flags);
	return ret;
}

void sluice_intx_do_mask(struct sluice_device *sdev)
{
	unsigned long flags;

	spin_lock_irqsave(&sdev->irq_lock, flags);
	if (sdev->irq_kind == SLUICE_IRQ_INTX && !sdev->masked)
		sluice_intx_hw_mask(sdev);
	spin_unlock_irqrestore(&sdev->irq_lock, flags);
}

/**
 * sluice_intx_do_unmask - let the next INTx through
 * @sdev: the device
 *
 * If the device wants attention already, its owner hears of it at once and it stays masked. Any
 * context that may not hold irq_lock.
 */
void sluice_intx_do_unmask(struct sluice_device *sdev)
{
	unsigned long flags;

	spin_lock_irqsave(&sdev->irq_lock, flags);
	if (sdev->irq_kind != SLUICE_IRQ_INTX || !sdev->masked || sdev->virq_disabled)
		goto unlock;
	if (!sdev->pci_2_3) {
		enable_irq(sdev->pdev->irq);
		sdev->masked = false;
	} else if (pci_check_and_unmask_intx(sdev->pdev)) {
		sdev->masked = false;
	} else if (sdev->trigger[SLUICE_IRQ_INTX]) {
		sluice_signal(sdev->trigger[SLUICE_IRQ_INTX]);
	}
unlock:
	spin_unlock_irqrestore(&sdev->irq_lock, flags);
}

static void sluice_intx_wish(struct sluice_device *sdev, bool disabled)
{
	unsigned long flags;

	spin_lock_irqsave(&sdev->irq_lock, flags);
	swap(sdev->virq_disabled, disabled);
	disabled = disabled != sdev->virq_disabled;
	spin_unlock_irqrestore(&sdev->irq_lock, flags);
	if (!disabled)
		return;
	if (sdev->virq_disabled)
		sluice_intx_do_mask(sdev);
	else
		sluice_intx_do_unmask(sdev);
}

/* The user has written a one to COMMAND.INTX_DISABLE. sdev->lock is held. */
void sluice_intx_mask(struct sluice_device *sdev)
{
	sluice_intx_wish(sdev, true);
}

/* The user has written a zero there. sdev->lock is held. */
void sluice_intx_unmask(struct sluice_device *sdev)
{
	sluice_intx_wish(sdev, false);
}

static int sluice_intx_on(struct sluice_device *sdev)
{
	struct pci_dev *pdev = sdev->pdev;
	unsigned long flags = sdev->pci_2_3 ? IRQF_SHARED : IRQF_NO_AUTOEN;
	int ret;

	sdev->intx_name = kasprintf(GFP_KERNEL, "sluice-intx(%s)", pci_name(pdev));
	if (!sdev->intx_name)
		return -ENOMEM;
	/* masked until all is in place */
	sdev->masked = true;
	sdev->irq_kind = SLUICE_IRQ_INTX;
	ret = request_irq(pdev->irq, sluice_intx_handler, flags, sdev->intx_name, sdev);
	if (ret) {
		sdev->irq_kind = SLUICE_IRQ_OFF;
		sdev->masked = false;
		kfree(sdev->intx_name);
		sdev->intx_name = NULL;
		return ret;
	}
	if (!sdev->pci_2_3)
		pci_intx(pdev, 1);
	return 0;
}

void sluice_intx_off(struct sluice_device *sdev)
{
	struct eventfd_ctx *old = NULL;
	unsigned long flags;

	sluice_unmask_clear(sdev);
	sluice_intx_do_mask(sdev);
	free_irq(sdev->pdev->irq, sdev);
	spin_lock_irqsave(&sdev->irq_lock, flags);
	swap(old, sdev->trigger[SLUICE_IRQ_INTX]);
	sdev->irq_kind = SLUICE_IRQ_OFF;
	sdev->masked = false;
	pci_intx(sdev->pdev, 0);
	spin_unlock_irqrestore(&sdev->irq_lock, flags);
	if (old)
		eventfd_ctx_put(old);
	kfree(sdev->intx_name);
	sdev->intx_name = NULL;
}

/* Swap an eventfd of INTX, ERR or REQ. Takes over the reference. */
void sluice_set_trigger(struct sluice_device *sdev, unsigned int kind, struct eventfd_ctx *ctx)
{
	unsigned long flags;

	spin_lock_irqsave(&sdev->irq_lock, flags);
	swap(ctx, sdev->trigger[kind]);
	spin_unlock_irqrestore(&sdev->irq_lock, flags);
	if (ctx)
		eventfd_ctx_put(ctx);
}

int sluice_intx_set(struct sluice_device *sdev, struct eventfd_ctx **ctx)
{
	int ret;

	if (!*ctx) {
		if (sdev->irq_kind == SLUICE_IRQ_INTX)
			sluice_intx_off(sdev);
		return 0;
	}
	if (sdev->irq_kind != SLUICE_IRQ_OFF && sdev->irq_kind != SLUICE_IRQ_INTX)
		return -EINVAL;
	if (sdev->irq_kind == SLUICE_IRQ_OFF) {
		ret = sluice_intx_on(sdev);
		if (ret)
			return ret;
	}
	sluice_set_trigger(sdev, SLUICE_IRQ_INTX, *ctx);
	*ctx = NULL;
	sluice_intx_do_unmask(sdev);
	return 0;
}
