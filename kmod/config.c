// SPDX-License-Identifier: GPL-2.0-only
/*
 * config.c: raw access to config space, and the floor under it
 *
 * The floor is an allow list: a bit that no row below names never reaches hardware. It does not try
 * to present a sane device; that is the engine's work, in userspace. It keeps a user who goes
 * around the engine from harming anybody but himself.
 */
#include <linux/bitmap.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "sluice_pci.h"

/* A capability's id, with the list it is in. The header is neither's. */
#define SLUICE_HEADER   0x20000
#define SLUICE_EXT(id)  (0x10000 | (id))

/**
 * struct sluice_floor_rule - a register of which some bits may be written
 * @cap: capability it is in
 * @offset: from the capability's first byte
 * @width: bytes
 * @allow: these bits; in the whole table the only ones
 * @status: a status register: its bits are cleared by writing ones, so that it is never written
 * back as read
 */
struct sluice_floor_rule {
	u32 cap;
	u8 offset;
	u8 width;
	u32 allow;
	bool status;
};

/* AER: the errors that the PCI Express base specification, 7.8.4, defines up to version 3. */
#define SLUICE_AER_UNCORRECTABLE 0x03fff031
#define SLUICE_AER_CORRECTABLE   0x0000f1c1

static const struct sluice_floor_rule sluice_floor_rules[] = {
	/* INTX_DISABLE is not here: the module sets it, and takes the user's as a wish. */
	{ SLUICE_HEADER, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
	  PCI_COMMAND_INVALIDATE | PCI_COMMAND_PARITY | PCI_COMMAND_SERR },
	{ SLUICE_HEADER, PCI_STATUS, 2, PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT |
	  PCI_STATUS_REC_TARGET_ABORT | PCI_STATUS_REC_MASTER_ABORT |
	  PCI_STATUS_SIG_SYSTEM_ERROR | PCI_STATUS_DETECTED_PARITY, true },
	{ SLUICE_HEADER, PCI_CACHE_LINE_SIZE, 1, 0xff },
	{ SLUICE_HEADER, PCI_LATENCY_TIMER, 1, 0xff },
	/*
	 * Not: payload size, read request (SET_READRQ), phantom functions, aux power, function
	 * reset (RESET).
	 */
	{ PCI_CAP_ID_EXP, PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE |
	  PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE | PCI_EXP_DEVCTL_RELAX_EN |
	  PCI_EXP_DEVCTL_EXT_TAG | PCI_EXP_DEVCTL_NOSNOOP_EN },
	{ PCI_CAP_ID_EXP, PCI_EXP_DEVSTA, 2, PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED |
	  PCI_EXP_DEVSTA_FED | PCI_EXP_DEVSTA_URD, true },
	{ PCI_CAP_ID_EXP, PCI_EXP_DEVCTL2, 2, PCI_EXP_DEVCTL2_COMP_TIMEOUT |
	  PCI_EXP_DEVCTL2_COMP_TMOUT_DIS },
	{ SLUICE_EXT(PCI_EXT_CAP_ID_ERR), PCI_ERR_UNCOR_STATUS, 4, SLUICE_AER_UNCORRECTABLE, true },
	{ SLUICE_EXT(PCI_EXT_CAP_ID_ERR), PCI_ERR_UNCOR_MASK, 4, SLUICE_AER_UNCORRECTABLE },
	{ SLUICE_EXT(PCI_EXT_CAP_ID_ERR), PCI_ERR_UNCOR_SEVER, 4, SLUICE_AER_UNCORRECTABLE },
	{ SLUICE_EXT(PCI_EXT_CAP_ID_ERR), PCI_ERR_COR_STATUS, 4, SLUICE_AER_CORRECTABLE, true },
	{ SLUICE_EXT(PCI_EXT_CAP_ID_ERR), PCI_ERR_COR_MASK, 4, SLUICE_AER_CORRECTABLE },
	/*
	 * Bodies of vendor capabilities: sluice_floor_vendor(), since their length is the device's
	 * to say.
	 */
};

/**
 * struct sluice_cap - a capability that the walk has met
 * @pos: of its first byte
 * @cap: SLUICE_EXT(id) or id
 * @body: where a vendor capability's own bytes begin, from @pos; 0 for all others
 * @len: bytes that it has; 0 if the specification does not say and nobody asked
 */
struct sluice_cap {
	u16 pos;
	u32 cap;
	u16 body;
	u16 len;
};

#define SLUICE_MAX_CAPS (48 + 960 + 1)

/*
 * Lengths of what has rules, and of what tells its own. The end of the others is the beginning of
 * the next.
 */
static void sluice_cap_measure(struct pci_dev *pdev, struct sluice_cap *c)
{
	u16 flags;
	u8 len;
	u32 dw;

	switch (c->cap) {
	case PCI_CAP_ID_EXP:
		pci_read_config_word(pdev, c->pos + PCI_EXP_FLAGS, &flags);
		if ((flags & PCI_EXP_FLAGS_VERS) == 1)
			c->len = (flags & PCI_EXP_FLAGS_TYPE) >> 4 == PCI_EXP_TYPE_RC_END ? 12 : 20;
		else
			c->len = (flags & PCI_EXP_FLAGS_TYPE) >> 4 == PCI_EXP_TYPE_RC_END ? 0x2c : 0x34;
		break;
	case PCI_CAP_ID_VNDR:
		pci_read_config_byte(pdev, c->pos + PCI_CAP_FLAGS, &len);
		c->body = 3;
		c->len = len;
		break;
	case SLUICE_EXT(PCI_EXT_CAP_ID_ERR):
		c->len = 0x2c;
		break;
	case SLUICE_EXT(PCI_EXT_CAP_ID_VNDR):
		pci_read_config_dword(pdev, c->pos + 4, &dw);
		c->body = 8;
		c->len = dw >> 20;
		break;
	}
}

/*
 * Both walks end at the first position that they have met before, so that a list that loops is
 * walked once.
 */
static unsigned int sluice_walk(struct pci_dev *pdev, struct sluice_cap *caps)
{
	DECLARE_BITMAP(seen, PCI_CFG_SPACE_EXP_SIZE / 4) = { 0 };
	unsigned int n = 0;
	u16 status, head;
	u32 dw;
	u8 pos;

	caps[n++] = (struct sluice_cap){ .cap = SLUICE_HEADER, .len = PCI_STD_HEADER_SIZEOF };
	pci_read_config_word(pdev, PCI_STATUS, &status);
	if (status & PCI_STATUS_CAP_LIST) {
		pci_read_config_byte(pdev, PCI_CAPABILITY_LIST, &pos);
		while ((pos &= ~3) >= PCI_STD_HEADER_SIZEOF && !test_and_set_bit(pos / 4, seen)) {
			pci_read_config_word(pdev, pos, &head);
			if (head == 0xffff)
				break;
			caps[n] = (struct sluice_cap){ .pos = pos, .cap = head & 0xff };
			sluice_cap_measure(pdev, &caps[n++]);
			pos = head >> 8;
		}
	}
	if (pdev->cfg_size > PCI_CFG_SPACE_SIZE) {
		u16 epos = PCI_CFG_SPACE_SIZE;

		while (epos >= PCI_CFG_SPACE_SIZE && !test_and_set_bit(epos / 4, seen)) {
			pci_read_config_dword(pdev, epos, &dw);
			if (!dw || PCI_POSSIBLE_ERROR(dw))
				break;
			caps[n] = (struct sluice_cap){ .pos = epos, .cap = SLUICE_EXT(PCI_EXT_CAP_ID(dw)) };
			sluice_cap_measure(pdev, &caps[n++]);
			epos = PCI_EXT_CAP_NEXT(dw) & ~3;
		}
	}
	return n;
}

/*
 * Where the capability must end: at the next one's beginning, or where its half of config space
 * does.
 */
static unsigned int sluice_cap_end(struct pci_dev *pdev, const struct sluice_cap *caps,
				   unsigned int n, const struct sluice_cap *c)
{
	unsigned int end = c->pos < PCI_CFG_SPACE_SIZE ? PCI_CFG_SPACE_SIZE : pdev->cfg_size;
	unsigned int i;

	for (i = 0; i < n; i++)
		if (caps[i].pos > c->pos && caps[i].pos < end)
			end = caps[i].pos;
	return c->len ? min_t(unsigned int, end, c->pos + c->len) : end;
}

static void sluice_floor_vendor(struct sluice_device *sdev, const struct sluice_cap *c,
				unsigned int end)
{
	if (c->len && end > c->pos + c->body)
		memset(sdev->floor_list + c->pos + c->body, 0xff, end - c->pos - c->body);
}

static void sluice_floor_cap(struct sluice_device *sdev, const struct sluice_cap *c, unsigned int end)
{
	const struct sluice_floor_rule *rule;
	unsigned int i, b, pos;

	for (i = 0; i < ARRAY_SIZE(sluice_floor_rules); i++) {
		rule = &sluice_floor_rules[i];
		pos = c->pos + rule->offset;
		if (rule->cap != c->cap || pos + rule->width > end)
			continue;
		for (b = 0; b < rule->width; b++) {
			sdev->floor_list[pos + b] = rule->allow >> (8 * b);
			sdev->floor_w1c[pos + b] = rule->status ? 0xff : 0;
		}
	}
	if (c->body)
		sluice_floor_vendor(sdev, c, end);
}

/* Bytes that a capability certainly has, whatever it says about itself. 0: no telling. */
static unsigned int sluice_cap_claims(const struct sluice_cap *c)
{
	switch (c->cap) {
	case PCI_CAP_ID_PM:
	case PCI_CAP_ID_VPD:
	case PCI_CAP_ID_SATA:
	case SLUICE_EXT(PCI_EXT_CAP_ID_ATS):
	case SLUICE_EXT(PCI_EXT_CAP_ID_ACS):
	case SLUICE_EXT(PCI_EXT_CAP_ID_ARI):
	case SLUICE_EXT(PCI_EXT_CAP_ID_PASID):
	case SLUICE_EXT(PCI_EXT_CAP_ID_LTR):
		return 8;
	case PCI_CAP_ID_MSI:
		return 10;
	case PCI_CAP_ID_MSIX:
	case SLUICE_EXT(PCI_EXT_CAP_ID_DSN):
	case SLUICE_EXT(PCI_EXT_CAP_ID_PTM):
	case SLUICE_EXT(PCI_EXT_CAP_ID_REBAR):
		return 12;
	case PCI_CAP_ID_AF:
		return 6;
	case SLUICE_EXT(PCI_EXT_CAP_ID_PRI):
	case SLUICE_EXT(PCI_EXT_CAP_ID_DPC):
	case SLUICE_EXT(PCI_EXT_CAP_ID_L1SS):
		return 16;
	case SLUICE_EXT(PCI_EXT_CAP_ID_SRIOV):
		return 0x40;
	default:
		return c->body ? 0 : c->len;
	}
}

/*
 * A lying device can lay one capability over another, say a vendor's over MSI-X. No byte that two
 * of them claim stays on the list; one whose length nobody knows claims all up to the next; and the
 * bytes that chain the list are nobody's.
 */
static void sluice_floor_settle(struct sluice_device *sdev, const struct sluice_cap *caps,
				unsigned int n)
{
	unsigned int size = sdev->pdev->cfg_size;
	unsigned int i, b, len, end, links;
	u8 *claims = sdev->floor;

	for (i = 0; i < n; i++) {
		len = sluice_cap_claims(&caps[i]);
		end = len ? min(size, caps[i].pos + len) : sluice_cap_end(sdev->pdev, caps, n, &caps[i]);
		for (b = caps[i].pos; b < end; b++)
			claims[b] += claims[b] < 2;
	}
	for (b = 0; b < size; b++)
		if (claims[b] > 1)
			sdev->floor_list[b] = 0;
	for (i = 0; i < n; i++) {
		links = caps[i].pos < PCI_CFG_SPACE_SIZE ? 2 : 4;
		if (caps[i].cap != SLUICE_HEADER)
			memset(sdev->floor_list + caps[i].pos, 0, links);
	}
}

/* Compute the floor at the first open. sdev->lock is held. */
int sluice_floor_init(struct sluice_device *sdev)
{
	struct pci_dev *pdev = sdev->pdev;
	unsigned int size = pdev->cfg_size;
	struct sluice_cap *caps;
	unsigned int n, i;

	caps = kvmalloc_array(SLUICE_MAX_CAPS, sizeof(*caps), GFP_KERNEL);
	if (!caps)
		return -ENOMEM;
	sdev->floor_list = kzalloc(3 * size, GFP_KERNEL_ACCOUNT);
	if (!sdev->floor_list) {
		kvfree(caps);
		return -ENOMEM;
	}
	sdev->floor_w1c = sdev->floor_list + size;
	sdev->floor = sdev->floor_list + 2 * size;

	n = sluice_walk(pdev, caps);
	for (i = 0; i < n; i++)
		sluice_floor_cap(sdev, &caps[i], sluice_cap_end(pdev, caps, n, &caps[i]));
	sluice_floor_settle(sdev, caps, n);
	memcpy(sdev->floor, sdev->floor_list, size);
	kvfree(caps);
	return 0;
}

/* ---- access ---- */

static int sluice_hw_read(struct pci_dev *pdev, u32 pos, unsigned int n, u32 *val)
{
	u16 word = 0;
	u8 byte = 0;
	int ret;

	switch (n) {
	case 1:
		ret = pci_user_read_config_byte(pdev, pos, &byte);
		*val = byte;
		break;
	case 2:
		ret = pci_user_read_config_word(pdev, pos, &word);
		*val = word;
		break;
	default:
		ret = pci_user_read_config_dword(pdev, pos, val);
	}
	return pcibios_err_to_errno(ret);
}

static int sluice_hw_write(struct pci_dev *pdev, u32 pos, unsigned int n, u32 val)
{
	int ret;

	switch (n) {
	case 1:
		ret = pci_user_write_config_byte(pdev, pos, val);
		break;
	case 2:
		ret = pci_user_write_config_word(pdev, pos, val);
		break;
	default:
		ret = pci_user_write_config_dword(pdev, pos, val);
	}
	return pcibios_err_to_errno(ret);
}

static u32 sluice_mask(const u8 *bytes, u32 pos, unsigned int n)
{
	u32 val = 0;

	while (n--)
		val = val << 8 | bytes[pos + n];
	return val;
}

/*
 * COMMAND is changed only here and by the INTx code, both under irq_lock, or one would undo the
 * other's INTX_DISABLE. The accessors that wait out a reset may sleep, so that wait comes first, as
 * a lock.
 */
static void sluice_command_merge(struct sluice_device *sdev, u16 val, u16 mask)
{
	struct pci_dev *pdev = sdev->pdev;
	unsigned long flags;
	u16 command;

	pci_cfg_access_lock(pdev);
	spin_lock_irqsave(&sdev->irq_lock, flags);
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	if (command != 0xffff)
		pci_write_config_word(pdev, PCI_COMMAND, (command & ~mask) | (val & mask));
	spin_unlock_irqrestore(&sdev->irq_lock, flags);
	pci_cfg_access_unlock(pdev);
}

/* n bytes of COMMAND, from byte pos (4 or 5). */
static int sluice_command_write(struct sluice_device *sdev, u32 pos, unsigned int n, u32 val)
{
	u16 touched = (n == 2 ? 0xffff : 0xff) << (8 * (pos - PCI_COMMAND));
	u16 mask = sluice_mask(sdev->floor, PCI_COMMAND, 2) & touched;
	u16 new = val << (8 * (pos - PCI_COMMAND));

	down_write(&sdev->memory_lock);
	if (mask & PCI_COMMAND_MEMORY) {
		bool on = new & PCI_COMMAND_MEMORY;

		if (sdev->mem_on && !on)
			sluice_zap(sdev);
		/* a device that was reset behind our back has lost its BARs */
		if (on)
			sluice_bars_restore(sdev);
		sdev->mem_on = on;
	}
	if (mask)
		sluice_command_merge(sdev, new, mask);
	up_write(&sdev->memory_lock);

	if (touched & PCI_COMMAND_INTX_DISABLE) {
		if (new & PCI_COMMAND_INTX_DISABLE)
			sluice_intx_mask(sdev);
		else
			sluice_intx_unmask(sdev);
	}
	return 0;
}

static int sluice_config_write(struct sluice_device *sdev, u32 pos, unsigned int n, u32 val)
{
	u32 all = n == 4 ? U32_MAX : (1U << (8 * n)) - 1;
	u32 allow = sluice_mask(sdev->floor, pos, n);
	u32 w1c = sluice_mask(sdev->floor_w1c, pos, n);
	u32 old = 0;
	int ret;

	if (pos >= PCI_COMMAND && pos < PCI_STATUS)
		return sluice_command_write(sdev, pos, n, val);
	if (!allow || (allow == (allow & w1c) && !(val & allow)))
		return 0;
	if ((allow | w1c) != all) {
		ret = sluice_hw_read(sdev->pdev, pos, n, &old);
		if (ret)
			return ret;
	}
	return sluice_hw_write(sdev->pdev, pos, n, (old & ~allow & ~w1c) | (val & allow));
}

/* The widest naturally aligned piece; COMMAND and STATUS go apart. */
static unsigned int sluice_piece(u32 pos, size_t left)
{
	if (!(pos & 3) && left >= 4 && pos != PCI_COMMAND)
		return 4;
	return !(pos & 1) && left >= 2 ? 2 : 1;
}

/*
 * Read or write raw config space, inside its bounds, from or to kernel memory. sdev->lock is held.
 */
ssize_t sluice_config_rw(struct sluice_device *sdev, char *buf, size_t count, u32 pos, bool write)
{
	size_t done = 0;
	unsigned int n;
	u32 val;
	int ret;

	for (; done < count; done += n, pos += n) {
		n = sluice_piece(pos, count - done);
		if (write) {
			val = sluice_mask((u8 *)buf, done, n);
			ret = sluice_config_write(sdev, pos, n, val);
		} else {
			__le32 le;

			ret = sluice_hw_read(sdev->pdev, pos, n, &val);
			le = cpu_to_le32(val);
			memcpy(buf + done, &le, n);
		}
		if (ret)
			return ret;
	}
	return done;
}

/* ---- the ioctls of the floor: the first two touch user memory, so they lock by themselves ---- */

static int sluice_floor_check(struct sluice_device *sdev, const struct sluice_floor *req)
{
	u32 size = sdev->pdev->cfg_size;

	return req->reserved || !req->length || req->offset >= size || req->length > size - req->offset ?
	       -EINVAL : 0;
}

int sluice_do_floor_get(void *obj, void *arg)
{
	struct sluice_device *sdev = obj;
	struct sluice_floor *req = arg;
	u8 *copy;
	u32 i;
	int ret = sluice_floor_check(sdev, req);

	if (ret || req->which > SLUICE_FLOOR_W1C)
		return -EINVAL;
	copy = kmalloc(req->length, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	ret = sluice_device_enter(sdev);
	if (ret)
		goto free;
	memcpy(copy, (req->which == SLUICE_FLOOR_EFFECTIVE ? sdev->floor : sdev->floor_list) + req->offset,
	       req->length);
	for (i = 0; req->which == SLUICE_FLOOR_W1C && i < req->length; i++)
		copy[i] &= sdev->floor_w1c[req->offset + i];
	mutex_unlock(&sdev->lock);
	if (copy_to_user(u64_to_user_ptr(req->mask), copy, req->length))
		ret = -EFAULT;
free:
	kfree(copy);
	return ret;
}

int sluice_do_floor_set(void *obj, void *arg)
{
	struct sluice_device *sdev = obj;
	struct sluice_floor *req = arg;
	u8 *mask;
	u32 i;
	int ret = sluice_floor_check(sdev, req);

	if (ret || req->which != SLUICE_FLOOR_EFFECTIVE)
		return -EINVAL;
	mask = memdup_user(u64_to_user_ptr(req->mask), req->length);
	if (IS_ERR(mask))
		return PTR_ERR(mask);
	ret = sluice_device_enter(sdev);
	if (ret)
		goto free;
	if (sdev->sealed)
		ret = -EPERM;
	for (i = 0; !ret && i < req->length; i++)
		sdev->floor[req->offset + i] &= mask[i];
	mutex_unlock(&sdev->lock);
free:
	kfree(mask);
	return ret;
}

int sluice_do_floor_seal(void *obj, void *arg)
{
	((struct sluice_device *)obj)->sealed = true;
	return 0;
}
