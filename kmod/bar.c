// SPDX-License-Identifier: GPL-2.0-only
/*
 * bar.c: BARs and ROM, by pread and pwrite and by mmap, and the BAR fd
 *
 * A mapping is filled by page faults alone. A fault takes memory_lock for reading and looks whether
 * the BAR may be reached; whoever ends that takes it for writing and zaps. So no page outlives its
 * right, whatever fork, mremap or a second thread does: each page table entry is made under the
 * lock, for a VMA that the inode's mapping already knows.
 */
#include <linux/module.h>
#include <linux/slab.h>

#include "compat.h"
#include "sluice_pci.h"

#define SLUICE_REGION_PGSHIFT (SLUICE_REGION_SHIFT - PAGE_SHIFT)

/* Pages that one fault brings in, at most: 2 MiB's worth. */
#define SLUICE_FAULT_AROUND 512UL

/*
 * Take the BARs of a device that has just been enabled. One that somebody else has (a frame buffer)
 * is left out.
 */
void sluice_bars_init(struct sluice_device *sdev)
{
	struct pci_dev *pdev = sdev->pdev;
	int i;

	sdev->bars = 0;
	for (i = 0; i < SLUICE_NUM_BARS; i++) {
		pci_read_config_dword(pdev, PCI_BASE_ADDRESS_0 + 4 * i, &sdev->rbar[i]);
		if (!pci_resource_len(pdev, i) || !pci_resource_start(pdev, i))
			continue;
		if (!pci_request_selected_regions(pdev, BIT(i), "sluice-pci"))
			sdev->bars |= BIT(i);
		else
			pci_warn(pdev, "BAR %d belongs to somebody else: not handed out\n", i);
	}
	pci_read_config_dword(pdev, PCI_ROM_ADDRESS, &sdev->rbar[SLUICE_NUM_BARS]);
}

/* memory_lock is held for writing. */
void sluice_bars_exit(struct sluice_device *sdev)
{
	int i;

	for (i = 0; i < SLUICE_NUM_BARS; i++)
		if (sdev->io[i]) {
			pci_iounmap(sdev->pdev, sdev->io[i]);
			sdev->io[i] = NULL;
		}
	pci_release_selected_regions(sdev->pdev, sdev->bars);
}

/* Write back the BARs that a reset behind our back has cleared. memory_lock is held for writing. */
void sluice_bars_restore(struct sluice_device *sdev)
{
	struct pci_dev *pdev = sdev->pdev;
	bool changed = false;
	u32 now;
	int i;

	if (pdev->is_virtfn)
		return;
	for (i = 0; i < SLUICE_NUM_BARS; i++) {
		pci_user_read_config_dword(pdev, PCI_BASE_ADDRESS_0 + 4 * i, &now);
		changed |= now != sdev->rbar[i] && !PCI_POSSIBLE_ERROR(now);
	}
	if (!changed)
		return;
	pci_info(pdev, "was reset behind our back: BARs restored\n");
	for (i = 0; i < SLUICE_NUM_BARS; i++)
		pci_user_write_config_dword(pdev, PCI_BASE_ADDRESS_0 + 4 * i, sdev->rbar[i]);
	pci_user_write_config_dword(pdev, PCI_ROM_ADDRESS, sdev->rbar[SLUICE_NUM_BARS]);
}

/* memory_lock is held. */
static bool sluice_reachable(struct sluice_device *sdev, bool memory)
{
	return sdev->live && sdev->pdev->current_state == PCI_D0 && (!memory || sdev->mem_on);
}

/* No page table maps any BAR after this. memory_lock is held for writing. */
void sluice_zap(struct sluice_device *sdev)
{
	unmap_mapping_range(sdev->inode->i_mapping, 0, 0, true);
}

/* ---- pread and pwrite ---- */

static bool sluice_in_msix_table(struct sluice_device *sdev, unsigned int bar, u64 pos)
{
	return bar == sdev->msix_bar && pos >= sdev->msix_offset &&
	       pos < (u64)sdev->msix_offset + sdev->msix_size;
}

/*
 * Values travel as the bytes that the bus has, which is what the accessors make of a little-endian
 * number.
 */
static void sluice_io_read(void __iomem *io, char *buf, unsigned int n)
{
	__le32 le;

	if (n == 4)
		le = cpu_to_le32(ioread32(io));
	else if (n == 2)
		le = cpu_to_le32(ioread16(io));
	else
		le = cpu_to_le32(ioread8(io));
	memcpy(buf, &le, n);
}

static void sluice_io_write(void __iomem *io, const char *buf, unsigned int n)
{
	__le32 le = 0;

	memcpy(&le, buf, n);
	if (n == 4)
		iowrite32(le32_to_cpu(le), io);
	else if (n == 2)
		iowrite16(le32_to_cpu(le), io);
	else
		iowrite8(le32_to_cpu(le), io);
}

/* Read or write a BAR, inside its bounds, from or to kernel memory. sdev->lock is held. */
ssize_t sluice_bar_rw(struct sluice_device *sdev, unsigned int bar, char *buf, size_t count,
		      u64 pos, bool write)
{
	bool memory = pci_resource_flags(sdev->pdev, bar) & IORESOURCE_MEM;
	size_t done = 0;
	unsigned int n;

	if (!sdev->io[bar])
		sdev->io[bar] = pci_iomap(sdev->pdev, bar, 0);
	if (!sdev->io[bar])
		return -ENOMEM;
	down_read(&sdev->memory_lock);
	if (!sluice_reachable(sdev, memory)) {
		up_read(&sdev->memory_lock);
		return -EIO;
	}
	for (; done < count; done += n, pos += n) {
		n = !(pos & 3) && count - done >= 4 ? 4 : !(pos & 1) && count - done >= 2 ? 2 : 1;
		if (sluice_in_msix_table(sdev, bar, pos)) {
			if (!write)
				memset(buf + done, 0xff, n);
			continue;
		}
		if (write)
			sluice_io_write(sdev->io[bar] + pos, buf + done, n);
		else
			sluice_io_read(sdev->io[bar] + pos, buf + done, n);
	}
	up_read(&sdev->memory_lock);
	return done;
}

/*
 * Read the expansion ROM. What the device says it has of ROM and what is in it differ: the rest
 * reads as ones. sdev->lock is held.
 */
ssize_t sluice_rom_read(struct sluice_device *sdev, char *buf, size_t count, u64 pos)
{
	void __iomem *rom;
	size_t size, n;
	ssize_t ret = -EIO;

	memset(buf, 0xff, count);
	/* decoding of the ROM is turned on and off in here, for which nobody else may look */
	down_write(&sdev->memory_lock);
	if (!sluice_reachable(sdev, true))
		goto unlock;
	rom = pci_map_rom(sdev->pdev, &size);
	if (!rom)
		goto unlock;
	n = pos < size ? min_t(u64, count, size - pos) : 0;
	memcpy_fromio(buf, rom + pos, n);
	pci_unmap_rom(sdev->pdev, rom);
	ret = count;
unlock:
	up_write(&sdev->memory_lock);
	return ret;
}

/* ---- mmap ---- */

/* Does the BAR fill whole pages of memory? */
bool sluice_bar_mappable(struct sluice_device *sdev, unsigned int bar)
{
	struct pci_dev *pdev = sdev->pdev;

	return sdev->bars & BIT(bar) && pci_resource_flags(pdev, bar) & IORESOURCE_MEM &&
	       PAGE_ALIGNED(pci_resource_start(pdev, bar)) && PAGE_ALIGNED(pci_resource_len(pdev, bar));
}

/* A device file's offset says which BAR, a BAR file is of one. */
static unsigned int sluice_split_pgoff(const struct sluice_file *sf, pgoff_t pgoff, pgoff_t *page)
{
	if (sf->bar >= 0) {
		*page = pgoff;
		return sf->bar;
	}
	*page = pgoff & ((1UL << SLUICE_REGION_PGSHIFT) - 1);
	return pgoff >> SLUICE_REGION_PGSHIFT;
}

static vm_fault_t sluice_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct sluice_file *sf = vma->vm_private_data;
	struct sluice_device *sdev = sf->sdev;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	unsigned long first, end, addr, pfn;
	unsigned int bar;
	pgoff_t page;

	bar = sluice_split_pgoff(sf, vmf->pgoff, &page);
	down_read(&sdev->memory_lock);
	if (!sluice_reachable(sdev, true) || sf->tenure != sdev->tenure)
		goto unlock;
	pfn = (pci_resource_start(sdev->pdev, bar) >> PAGE_SHIFT) + page;
	addr = vmf->address & PAGE_MASK;
	ret = vmf_insert_pfn(vma, addr, pfn);
	if (ret != VM_FAULT_NOPAGE)
		goto unlock;
	/* what comes after is likely wanted, too; one that cannot be had now will fault again */
	first = addr;
	end = min(vma->vm_end, (first | (SLUICE_FAULT_AROUND * PAGE_SIZE - 1)) + 1);
	for (addr += PAGE_SIZE; addr < end; addr += PAGE_SIZE)
		if (vmf_insert_pfn(vma, addr, pfn + ((addr - first) >> PAGE_SHIFT)) != VM_FAULT_NOPAGE)
			break;
unlock:
	up_read(&sdev->memory_lock);
	return ret;
}

/*
 * A BAR stays where it was mapped. Growing is ruled out by VM_DONTEXPAND; moving would be sound,
 * since the mapping is found by offset and not by address, but nobody needs it and what is refused
 * cannot break.
 */
static int sluice_mremap(struct vm_area_struct *vma)
{
	return -EPERM;
}

static const struct vm_operations_struct sluice_vm_ops = {
	.fault = sluice_fault,
	.mremap = sluice_mremap,
};

/*
 * mmap of a device or BAR file; faults fill it. A child of fork() inherits the mapping, and keeps
 * it after the parent has gone: daemons fork. It is zapped with all others.
 */
int sluice_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct sluice_file *sf = file->private_data;
	struct sluice_device *sdev = sf->sdev;
	pgoff_t page, pages;
	unsigned int bar;
	bool over;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	bar = sluice_split_pgoff(sf, vma->vm_pgoff, &page);
	if (bar >= SLUICE_NUM_BARS || !sluice_bar_mappable(sdev, bar))
		return -EINVAL;
	pages = pci_resource_len(sdev->pdev, bar) >> PAGE_SHIFT;
	if (page >= pages || vma_pages(vma) > pages - page)
		return -EINVAL;
	down_read(&sdev->memory_lock);
	over = !sdev->live || sf->tenure != sdev->tenure;
	up_read(&sdev->memory_lock);
	if (over)
		return -ENODEV;

	vma->vm_private_data = sf;
	vma->vm_ops = &sluice_vm_ops;
	vma->vm_page_prot = pgprot_decrypted(pgprot_noncached(vma->vm_page_prot));
	sluice_vm_flags_clear(vma, VM_MAYEXEC);
	sluice_vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

/* ---- BAR fd ---- */

static int sluice_bar_fop_release(struct inode *inode, struct file *file)
{
	struct sluice_file *sf = file->private_data;

	sluice_device_put(sf->sdev);
	kfree(sf);
	return 0;
}

static const struct file_operations sluice_bar_fops = {
	.owner = THIS_MODULE,
	.release = sluice_bar_fop_release,
	.mmap = sluice_mmap,
};

int sluice_do_bar_fd(void *obj, void *arg)
{
	struct sluice_device_bar_fd *req = arg;
	struct sluice_device *sdev = obj;
	struct sluice_file *sf;
	int ret;

	if (req->reserved || req->index >= SLUICE_NUM_BARS || !sluice_bar_mappable(sdev, req->index))
		return -EINVAL;
	sf = kzalloc(sizeof(*sf), GFP_KERNEL_ACCOUNT);
	if (!sf)
		return -ENOMEM;
	kref_get(&sdev->kref);
	sf->sdev = sdev;
	sf->tenure = sdev->tenure;
	sf->bar = req->index;
	ret = sluice_install_file("[sluice-bar]", &sluice_bar_fops, sf, sdev->inode->i_mapping);
	if (ret < 0) {
		sluice_device_put(sdev);
		kfree(sf);
	}
	return ret;
}
