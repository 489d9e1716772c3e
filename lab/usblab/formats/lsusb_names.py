# SPDX-License-Identifier: GPL-2.0-or-later
"""
What lsusb (usbutils 0.80 to 019, and what followed) calls the fields of
descriptors, and the headings under which it prints them.

A layout is the order in which the fields under a heading are printed:

    name        once
    name?       not in every version, or not in every device
    name*       any number of times, numbered
    name*count  as often as the field `count` says
    a+b*count   these in turn
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Pattern, Tuple

FIELD_AT = re.compile(r"\b(?:[bwid]|bcd|bma?|[BbwdI]a|dw|id|[tn]|guid)[A-Z]"
                      r"[A-Za-z0-9]*\.?(?=[ (\[]|$)|\bMaxPower\b|"
                      r"\bMaxStreams\b|\bMult(?= +\d)|\bwlcdLayout\b|"
                      r"\bbGUID\b|\bContainerID\b|\bPlatformCapabilityUUID\b|"
                      r"\bCapabilityData(?=\[)|\bVCONN Power\b|"
                      r"\bDeviceRemovable\b|\bPortPwrCtrlMask\b|"
                      r"\bProcess-specific(?=\()")

# heading as printed -> (kind, bDescriptorType or None)
HEADINGS: Mapping[str, Tuple[str, Optional[int]]] = {
    "Device Descriptor": ("device", 1),
    "Configuration Descriptor": ("configuration", 2),
    "Interface Descriptor": ("interface", 4),
    "Interface Association": ("association", 11),
    "Endpoint Descriptor": ("endpoint", 5),
    "Security Descriptor": ("security", 12),
    "Encryption Type Descriptor": ("encryption", 14),
    "HID Device Descriptor": ("hid", None),
    "AudioControl Interface Descriptor": ("audiocontrol", None),
    "AudioStreaming Interface Descriptor": ("audiostreaming", None),
    "AudioControl Endpoint Descriptor": ("audioendpoint", None),
    "AudioStreaming Endpoint Descriptor": ("audioendpoint", None),
    "MIDIStreaming Interface Descriptor": ("midi", None),
    "MIDIStreaming Endpoint Descriptor": ("midiendpoint", None),
    "VideoControl Interface Descriptor": ("videocontrol", None),
    "VideoControl Endpoint Descriptor": ("videoendpoint", None),
    "VideoStreaming Interface Descriptor": ("videostreaming", None),
    "Device Firmware Upgrade Interface Descriptor": ("dfu", None),
    "ChipCard Interface Descriptor": ("ccid", None),
    "Wire Adapter Class Descriptor": ("wireadapter", None),
    "Radio Control Interface Class Descriptor": ("radio", None),
    "IPP Printer Descriptor": ("ipp", None),
    "Device Qualifier (for other device speed)": ("qualifier", 6),
    "Binary Object Store Descriptor": ("bos", 15),
    "USB 2.0 Extension Device Capability": ("capability:2", 16),
    "SuperSpeed USB Device Capability": ("capability:3", 16),
    "Container ID Device Capability": ("capability:4", 16),
    "Platform Device Capability": ("capability:5", 16),
    "SuperSpeedPlus USB Device Capability": ("capability:10", 16),
    "Billboard Capability": ("capability:13", 16),
    "Billboard Alternate Mode Capability": ("capability:15", 16),
    "Configuration Summary Device Capability": ("capability:16", 16),
    "FWStatus Capability": ("capability:17", 16),
    "Hub Descriptor": ("hub", None),
    "OTG Descriptor": ("otg", 9),
    "Debug descriptor": ("debug", 10),
    # these end a configuration and have nothing of it
    "Hub Port Status": ("other", None),
    "Device Status": ("other", None),
}

# heading of a communications descriptor (CDC 1.2, table 13) -> its subtype
CDC: Mapping[str, int] = {
    "CDC Header": 0x00, "CDC Call Management": 0x01, "CDC ACM": 0x02,
    "CDC Union": 0x06, "Country Selection": 0x07,
    "CDC Telephone operations": 0x08, "Network Channel Terminal": 0x0a,
    "CDC Ethernet": 0x0f, "CDC WHCM": 0x11, "CDC MDLM": 0x12,
    "CDC MDLM detail": 0x13, "CDC Device Management": 0x14, "CDC OBEX": 0x15,
    "CDC Command Set": 0x16, "CDC NCM": 0x1a, "CDC MBIM": 0x1b,
    "CDC MBIM Extended": 0x1c,
}
HEADING_AT: Pattern[str] = re.compile(
    "(?:" + "|".join(sorted((re.escape(name) for name in (*HEADINGS, *CDC)),
                            key=len, reverse=True)) + "):(?= |$)")

HEAD = "bLength bDescriptorType "
CLASS = HEAD + "bDescriptorSubtype "
CAPABILITY = HEAD + "bDevCapabilityType "
CONTROLS = "bmControls iProcessing"
MIXED = "bUnitID bNrInPins|bNrPins baSourceID|baSource*bNrInPins|bNrPins "
CLUSTER1 = "bNrChannels wChannelConfig iChannelNames "
CLUSTER2 = "bNrChannels bmChannelConfig iChannelNames "
FREQUENCIES = ("bSamFreqType tLowerSamFreq? tUpperSamFreq? "
               "tSamFreq*bSamFreqType")
FRAME = ("bFrameIndex bmCapabilities wWidth wHeight dwMinBitRate "
         "dwMaxBitRate ")
INTERVALS = ("dwMinFrameInterval? dwMaxFrameInterval? dwFrameIntervalStep? "
             "dwFrameInterval*bFrameIntervalType")
BUFFERED = FRAME + ("dwMaxVideoFrameBufferSize dwDefaultFrameInterval "
                    "bFrameIntervalType ") + INTERVALS
UNCOMPRESSED = ("bFormatIndex bNumFrameDescriptors guidFormat bBitsPerPixel "
                "bDefaultFrameIndex bAspectRatioX bAspectRatioY "
                "bmInterlaceFlags bCopyProtect ")
TERMINAL_1 = "bTerminalID wTerminalType bAssocTerminal "
PROCESSING_1 = ("bUnitID wProcessType bNrInPins|bNrPins "
                "baSourceID*bNrInPins|bNrPins ")

# kind, or kind:subtype -> layout
LAYOUTS: Mapping[str, str] = {
    "device": HEAD + "bcdUSB bDeviceClass bDeviceSubClass bDeviceProtocol "
    "bMaxPacketSize0 idVendor idProduct bcdDevice iManufacturer iProduct "
    "iSerial bNumConfigurations",
    "configuration": HEAD + "wTotalLength bNumInterfaces bConfigurationValue "
    "iConfiguration bmAttributes MaxPower",
    "interface": HEAD + "bInterfaceNumber bAlternateSetting bNumEndpoints "
    "bInterfaceClass bInterfaceSubClass bInterfaceProtocol iInterface",
    "association": HEAD + "bFirstInterface bInterfaceCount bFunctionClass "
    "bFunctionSubClass bFunctionProtocol iFunction",
    "endpoint": HEAD + "bEndpointAddress bmAttributes wMaxPacketSize "
    "bInterval bRefresh? bSynchAddress?",
    "qualifier": HEAD + "bcdUSB bDeviceClass bDeviceSubClass bDeviceProtocol "
    "bMaxPacketSize0 bNumConfigurations",
    "security": HEAD + "wTotalLength bNumEncryptionTypes",
    "encryption": HEAD + "bEncryptionType bEncryptionValue bAuthKeyIndex",
    "hid": HEAD + "bcdHID bCountryCode bNumDescriptors "
    "bDescriptorType+wDescriptorLength*bNumDescriptors",
    "dfu": HEAD + "bmAttributes wDetachTimeout wTransferSize bcdDFUVersion?",
    "ccid": HEAD + "bcdCCID nMaxSlotIndex bVoltageSupport dwProtocols "
    "dwDefaultClock dwMaxiumumClock|dwMaximumClock bNumClockSupported dwDataRate "
    "dwMaxDataRate bNumDataRatesSupp. dwMaxIFSD dwSyncProtocols dwMechanical "
    "dwFeatures dwMaxCCIDMsgLen bClassGetResponse bClassEnvelope wlcdLayout "
    "bPINSupport bMaxCCIDBusySlots",
    "ipp": HEAD + "bcdReleaseNumber bcdNumDescriptors iIPPVersionsSupported "
    "iIPPPrinterUUID wBasicCapabilities",
    "radio": HEAD + "bcdRCIVersion",
    "otg": HEAD + "bmAttributes",
    "debug": HEAD + "bDebugInEndpoint bDebugOutEndpoint",
    "bos": HEAD + "wTotalLength bNumDeviceCaps",
    "capability:2": CAPABILITY + "bmAttributes",
    "capability:3": CAPABILITY + "bmAttributes wSpeedsSupported "
    "bFunctionalitySupport bU1DevExitLat bU2DevExitLat",
    "capability:4": CAPABILITY + "bReserved ContainerID",
    "capability:5": CAPABILITY + "bReserved PlatformCapabilityUUID "
    "bcdVersion? bVendorCode? iLandingPage? CapabilityData*",
    "capability:10": CAPABILITY + "bmAttributes wFunctionalitySupport "
    "bmSublinkSpeedAttr*",
    "capability:13": CAPABILITY + "iAdditionalInfoURL|iAddtionalInfoURL "
    "bNumberOfAlternateModes bPreferredAlternateMode VCONN bmConfigured "
    "bcdVersion bAdditionalFailureInfo bReserved "
    "wSVID+bAlternateMode+iAlternateModeString*bNumberOfAlternateModes",
    "capability:15": CAPABILITY + "bIndex dwAlternateModeVdo",
    "capability:16": CAPABILITY + "bcdVersion bClass bSubClass bProtocol "
    "bConfigurationCount bConfigurationIndex*bConfigurationCount",
    "capability:17": CAPABILITY + "bcdDescriptorVersion bmAttributes",
    "hub": HEAD + "nNbrPorts wHubCharacteristic bPwrOn2PwrGood "
    "bHubContrCurrent bHubDecLat? wHubDelay? DeviceRemovable "
    "PortPwrCtrlMask?",

    "audiocontrol:HEADER:1": CLASS + "bcdADC wTotalLength bInCollection "
    "baInterfaceNr*",
    "audiocontrol:HEADER:2": CLASS + "bcdADC bCategory wTotalLength "
    "bmControls|bmControl",
    "audiocontrol:HEADER:3": CLASS + "bCategory wTotalLength bmControls",
    "audiocontrol:INPUT_TERMINAL:1": CLASS + TERMINAL_1 + CLUSTER1
    + "iTerminal",
    # up to version 009, bmControls is printed before iChannelNames
    "audiocontrol:INPUT_TERMINAL:2": CLASS + TERMINAL_1 + "bCSourceID "
    "bNrChannels bmChannelConfig bmControls? iChannelNames bmControls? "
    "iTerminal",
    "audiocontrol:INPUT_TERMINAL:3": CLASS + TERMINAL_1 + "bCSourceID "
    "bmControls wClusterDescrID wExTerminalDescrID wConnectorsDescrID "
    "wTerminalDescrStr",
    "audiocontrol:OUTPUT_TERMINAL:1": CLASS + TERMINAL_1
    + "bSourceID iTerminal",
    "audiocontrol:OUTPUT_TERMINAL:2": CLASS + TERMINAL_1
    + "bSourceID bCSourceID bmControls iTerminal",
    "audiocontrol:OUTPUT_TERMINAL:3": CLASS + TERMINAL_1 + "bSourceID "
    "bCSourceID bmControls wExTerminalDescrID wConnectorsDescrID "
    "wTerminalDescrStr",
    "audiocontrol:EXTENDED_TERMINAL:3": CLASS + "wDescriptorID bNrChannels",
    "audiocontrol:POWER_DOMAIN:3": CLASS + "bPowerDomainID waRecoveryTime* "
    "bNrEntities baEntityID*bNrEntities wPDomainDescrStr",
    "audiocontrol:MIXER_UNIT:1": CLASS + MIXED + CLUSTER1
    + "bmControls* iMixer",
    "audiocontrol:MIXER_UNIT:2": CLASS + MIXED + CLUSTER2
    + "bmMixerControls* bytes? bmControls iMixer",
    "audiocontrol:MIXER_UNIT:3": CLASS + MIXED + "wClusterDescrID "
    "bmMixerControls* bmControls wMixerDescrStr",
    "audiocontrol:SELECTOR_UNIT:1": CLASS + MIXED + "iSelector",
    "audiocontrol:SELECTOR_UNIT:2": CLASS + MIXED + "bmControls iSelector",
    "audiocontrol:SELECTOR_UNIT:3": CLASS + MIXED
    + "bmControls wSelectorDescrStr",
    "audiocontrol:FEATURE_UNIT:1": CLASS
    + "bUnitID bSourceID bControlSize bmaControls* iFeature",
    "audiocontrol:FEATURE_UNIT:2": CLASS
    + "bUnitID bSourceID bmaControls* iFeature",
    "audiocontrol:FEATURE_UNIT:3": CLASS
    + "bUnitID bSourceID bmaControls* wFeatureDescrStr",
    "audiocontrol:PROCESSING_UNIT:1": CLASS + PROCESSING_1 + CLUSTER1
    + "bControlSize bmControls* iProcessing bytes? bNrModes? waModes* "
    "Process-specific*",
    # before 010, baSourceID is not what it says; its name is bNrPins there
    "audiocontrol:PROCESSING_UNIT:2": CLASS + "bUnitID wProcessType "
    "bNrInPins baSourceID*bNrInPins " + CLUSTER2 + "bmControls iProcessing "
    "bNrModes? daModes* Process-specific*",
    "audiocontrol:PROCESSING_UNIT:3": CLASS + PROCESSING_1
    + "wProcessingDescrStr bmControls? wClusterDescrID? bmAlgorithms? "
    "bNrModes? waClusterDescrID*",
    "audiocontrol:EXTENSION_UNIT:1": CLASS + "bUnitID wExtensionCode "
    "bNrInPins|bNrPins baSourceID*bNrInPins|bNrPins " + CLUSTER1
    + "bControlSize bmControls* iExtension",
    "audiocontrol:EXTENSION_UNIT:2": CLASS + "bUnitID wExtensionCode "
    "bNrInPins baSourceID*bNrInPins " + CLUSTER2 + "bmControls iExtension",
    "audiocontrol:EXTENSION_UNIT:3": CLASS + "bUnitID wExtensionCode "
    "bNrInPins baSourceID*bNrInPins wExtensionDescrStr bmControls "
    "wClusterDescrID",
    "audiocontrol:CLOCK_SOURCE:2": CLASS + "bClockID bmAttributes bmControls "
    "bAssocTerminal iClockSource",
    "audiocontrol:CLOCK_SOURCE:3": CLASS + "bClockID bmAttributes bmControls "
    "bReferenceTerminal wClockSourceStr",
    "audiocontrol:CLOCK_SELECTOR:2": CLASS + "bClockID|bUnitID bNrInPins "
    "baCSourceID|baSource*bNrInPins bmControls? iClockSelector|iSelector",
    "audiocontrol:CLOCK_SELECTOR:3": CLASS + "bClockID bNrInPins "
    "baCSourceID*bNrInPins bmControls wCSelectorDescrStr",
    "audiocontrol:CLOCK_MULTIPLIER:2": CLASS
    + "bClockID bCSourceID bmControls iClockMultiplier",
    "audiocontrol:CLOCK_MULTIPLIER:3": CLASS
    + "bClockID bCSourceID bmControls wCMultiplierDescrStr",
    "audiocontrol:SAMPLE_RATE_CONVERTER_UNIT:2": CLASS
    + "bUnitID bSourceID bCSourceInID bCSourceOutID iSRC",
    "audiocontrol:EFFECT_UNIT:2": CLASS
    + "bUnitID wEffectType bSourceID bmaControls* iEffects|iEffect",
    "audiocontrol:EFFECT_UNIT:3": CLASS
    + "bUnitID wEffectType bSourceID bmaControls* wEffectsDescrStr",
    "audiocontrol:unknown": CLASS + "bytes",

    "audiostreaming:AS_GENERAL:1": CLASS + "bTerminalLink bDelay wFormatTag",
    "audiostreaming:AS_GENERAL:2": CLASS + "bTerminalLink bmControls "
    "bFormatType bmFormats " + CLUSTER2,
    "audiostreaming:AS_GENERAL:3": CLASS + "bTerminalLink bmControls "
    "wClusterDescrID bmFormats bSubslotSize bBitResolution bmAuxProtocols "
    "bControlSize",
    "audiostreaming:FORMAT_TYPE:FORMAT_TYPE_I:1": CLASS + "bFormatType "
    "bNrChannels bSubframeSize bBitResolution " + FREQUENCIES,
    "audiostreaming:FORMAT_TYPE:FORMAT_TYPE_II:1": CLASS + "bFormatType "
    "wMaxBitRate wSamplesPerFrame " + FREQUENCIES,
    "audiostreaming:FORMAT_TYPE:FORMAT_TYPE_III:1": CLASS + "bFormatType "
    "bNrChannels bSubframeSize bBitResolution " + FREQUENCIES,
    "audiostreaming:FORMAT_TYPE:FORMAT_TYPE_I:2": CLASS + "bFormatType "
    "bSubslotSize bBitResolution",
    "audiostreaming:FORMAT_TYPE:FORMAT_TYPE_II:2": CLASS + "bFormatType "
    "wMaxBitRate wSlotsPerFrame",
    "audiostreaming:FORMAT_TYPE:FORMAT_TYPE_III:2": CLASS + "bFormatType "
    "bSubslotSize bBitResolution",
    "audiostreaming:FORMAT_TYPE:FORMAT_TYPE_IV:2": CLASS
    + "bFormatType bFormatType?",
    "audiostreaming:FORMAT_TYPE:unknown": CLASS + "bFormatType bytes",
    "audiostreaming:FORMAT_TYPE": CLASS,
    "audiostreaming:FORMAT_SPECIFIC": CLASS + "wFormatTag "
    "bmMPEGCapabilities? bmMPEGFeatures? bmBSID? bmAC3Features? bytes?",
    "audiostreaming:unknown": CLASS + "bytes",
    "audioendpoint:1": CLASS + "bmAttributes bLockDelayUnits wLockDelay",
    "audioendpoint:2": CLASS
    + "bmAttributes bmControls bLockDelayUnits wLockDelay",
    "audioendpoint:3": CLASS + "bmControls bLockDelayUnits wLockDelay",

    "midi:1": CLASS + "bcdADC|bcdMSC wTotalLength",
    "midi:2": CLASS + "bJackType bJackID iJack",
    "midi:3": CLASS + "bJackType bJackID bNrInputPins "
    "baSourceID+BaSourcePin* baSource* iJack",
    "midi:4": CLASS + "bElementID bNrInputPins "
    "baSourceID+BaSourcePin* baSource* bNrOutputPins bInTerminalLink "
    "bOutTerminalLink bElCapsSize bmElementCaps iElement",
    "midi": CLASS + "bytes",
    "midiendpoint": CLASS + "bNumEmbMIDIJack|bNumGrpTrmBlock "
    "baAssocJackID|baAssoGrpTrmBlkID*bNumEmbMIDIJack|bNumGrpTrmBlock",

    "videocontrol:1": CLASS + "bcdUVC wTotalLength dwClockFrequency "
    "bInCollection baInterfaceNr*bInCollection",
    "videocontrol:2": CLASS + TERMINAL_1 + "iTerminal "
    "wObjectiveFocalLengthMin? wObjectiveFocalLengthMax? wOcularFocalLength? "
    "bControlSize? bmControls?",
    "videocontrol:3": CLASS + TERMINAL_1 + "bSourceID iTerminal",
    "videocontrol:4": CLASS + "bUnitID bNrInPins "
    "baSource|baSourceID*bNrInPins iSelector",
    "videocontrol:5": CLASS + "bUnitID bSourceID wMaxMultiplier bControlSize "
    "bmControls iProcessing bmVideoStandards",
    "videocontrol:6": CLASS + "bUnitID guidExtensionCode "
    "bNumControls|bNumControl bNrInPins|bNrPins "
    "baSourceID*bNrInPins|bNrPins bControlSize bmControls*bControlSize "
    "iExtension",
    "videocontrol:7": CLASS + "bUnitID bSourceID iEncoding bControlSize "
    "bmControls bmControlsRuntime",
    "videocontrol": CLASS + "bytes",
    "videoendpoint": CLASS + "wMaxTransferSize",
    "videostreaming:1": CLASS + "bNumFormats wTotalLength "
    "bEndpointAddress|bEndPointAddress "
    "bmInfo bTerminalLink bStillCaptureMethod bTriggerSupport bTriggerUsage "
    "bControlSize bmaControls*bNumFormats",
    "videostreaming:2": CLASS + "bNumFormats wTotalLength "
    "bEndpointAddress|bEndPointAddress "
    "bTerminalLink bControlSize bmaControls*bNumFormats",
    "videostreaming:3": CLASS + "bEndpointAddress|bEndPointAddress "
    "bNumImageSizePatterns "
    "wWidth+wHeight*bNumImageSizePatterns bNumCompressionPatterns "
    "bCompression*",
    "videostreaming:4": CLASS + UNCOMPRESSED,
    "videostreaming:5": CLASS + BUFFERED,
    "videostreaming:6": CLASS + "bFormatIndex bNumFrameDescriptors bFlags "
    "bDefaultFrameIndex bAspectRatioX bAspectRatioY bmInterlaceFlags "
    "bCopyProtect",
    "videostreaming:7": CLASS + BUFFERED,
    "videostreaming:10": CLASS + "bFormatIndex bDataOffset bPacketLength "
    "bStrideLength guidStrideFormat?",
    "videostreaming:13": CLASS + "bColorPrimaries bTransferCharacteristics "
    "bMatrixCoefficients",
    "videostreaming:16": CLASS + UNCOMPRESSED + "bVariableSize",
    "videostreaming:17": CLASS + FRAME + "dwDefaultFrameInterval "
    "bFrameIntervalType dwBytesPerLine " + INTERVALS,
    "videostreaming:18": CLASS + "bFormatIndex guidFormat dwPacketLength",
    "videostreaming": CLASS + "bytes",

    "cdc:0": "bcdCDC",
    "cdc:1": "bmCapabilities bDataInterface",
    "cdc:2": "bmCapabilities",
    "cdc:6": "bMasterInterface bSlaveInterface",
    "cdc:7": "iCountryCodeRelDate wCountryCode*",
    "cdc:8": "bmCapabilities",
    "cdc:10": "bEntityId iName bChannelIndex bPhysicalInterface",
    "cdc:15": "iMacAddress bmEthernetStatistics wMaxSegmentSize "
    "wNumberMCFilters bNumberPowerFilters",
    "cdc:17": "bcdVersion",
    "cdc:18": "bcdCDC bGUID",
    "cdc:19": "bGuidDescriptorType bDetailData",
    "cdc:20": "bcdVersion wMaxCommand",
    "cdc:21": "bcdVersion",
    "cdc:22": "bcdVersion iCommandSet bGUID",
    "cdc:26": "bcdNcmVersion bmNetworkCapabilities",
    "cdc:27": "bcdMBIMVersion wMaxControlMessage bNumberFilters "
    "bMaxFilterSize wMaxSegmentSize bmNetworkCapabilities",
    "cdc:28": "bcdMBIMExtendedVersion bMaxOutstandingCommandMessages wMTU",
    "companion": "bMaxBurst MaxStreams? Mult? wBytesPerInterval?",
}
LAYOUTS = {**LAYOUTS,
           "audiocontrol:SAMPLING_RATE_CONVERTER:2":
           LAYOUTS["audiocontrol:CLOCK_MULTIPLIER:2"],
           "audiocontrol:SAMPLING_RATE_CONVERTER:3":
           LAYOUTS["audiocontrol:CLOCK_MULTIPLIER:3"]}


@dataclass(frozen=True)
class Step:
    """
    One part of a layout: groups of names that stand for each other, in
    turn; least and most often; counted by the field of one of these names.
    """
    groups: Tuple[Tuple[str, ...], ...]
    optional: bool
    repeated: bool
    counted_by: Tuple[str, ...]


def parse_layout(text: str) -> List[Step]:
    steps = []
    for word in text.split():
        names, star, count = word.partition("*")
        optional = names.endswith("?")
        groups = tuple(tuple(group.rstrip("?").split("|"))
                       for group in names.split("+"))
        steps.append(Step(groups, optional, bool(star),
                          tuple(count.split("|")) if count else ()))
    return steps


PARSED: Mapping[str, List[Step]] = {kind: parse_layout(text)
                                    for kind, text in LAYOUTS.items()}
NAMES = {name for steps in PARSED.values() for step in steps
         for group in step.groups for name in group} - {"bytes"}


def is_known(text: str) -> bool:
    """Is this a field's name or a heading of lsusb's?"""
    return (text in NAMES or text == "VCONN Power"
            or text.rstrip(":") in HEADINGS or text.rstrip(":") in CDC)


# name -> bytes, where the name's first letters do not say it
WIDTHS: Dict[str, int] = {
    "bGUID": 16, "ContainerID": 16, "PlatformCapabilityUUID": 16,
    "CapabilityData": 1, "Process-specific": 1, "MaxPower": 1, "VCONN": 2, "bcdReleaseNumber": 1,
    "bcdNumDescriptors": 1, "bU2DevExitLat": 2, "bcdDescriptorVersion": 1,
    "bmFormats": 4,
}
PREFIXES: Tuple[Tuple[Pattern[str], int], ...] = tuple(
    (re.compile(pattern), width) for pattern, width in (
        ("bcd[A-Z]", 2), ("guid[A-Z]", 16), ("id[A-Z]", 2), ("bma?[A-Z]", 1),
        ("[Bb]a?[A-Z]", 1), ("wa?[A-Z]", 2), ("d[wa][A-Z]", 4),
        ("[in][A-Z]", 1), ("t[A-Z]", 3)))


def width_of(name: str) -> Optional[int]:
    """Bytes of a field by its name; bm... may have more."""
    if name in WIDTHS:
        return WIDTHS[name]
    for pattern, width in PREFIXES:
        if pattern.match(name):
            return width
    return None
