// SPDX-License-Identifier: BSD-3-Clause
#include "sluice_pci_uapi.h"

unsigned long sluice_uapi_in_c(void);
unsigned long sluice_uapi_in_c(void) {
    return SLUICE_REGION_OFFSET(SLUICE_REGION_CONFIG) + sizeof(struct sluice_set_irqs);
}
