"""Which elements of a DICOM object are kept, and how: what is not here is removed.

The elements of CT, MR, segmentation, report and registration objects that hold numbers,
defined terms, codes, references or times (PS3.3). Text, and whatever PS3.15 table E.1-1
removes, is kept only in the ways named here. An element counts at any depth, since the
profile makes no difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

Treatment = Literal[
    "number", "term", "uid", "items", "codes", "date", "words", "dummy", "empty",
    "device", "patient", "pixels", "tags", "label",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """How one element is kept.

    Parameters
    ----------
    treatment : str
        ``number``: as it is, if it is one. ``term``: a defined term of the standard.
        ``uid``: mapped, those of the standard kept. ``items``: a sequence, its items
        cleaned. ``codes``: a sequence of codes. ``date``: dates and times, as the options
        say. ``words``: cleaned to a vocabulary. ``label``: known words, else a keyed one.
        ``dummy``: replaced by the fallback.
        ``empty``: kept without a value. ``device``, ``patient``: kept if the options say
        so. ``pixels``: as it is. ``tags``: names of public elements.
    fallback : str or None
        What stands in its place where nothing of the value may stay; None removes it.
    """

    treatment: Treatment
    fallback: str | None = None


_NUMBERS: Final = """
Rows Columns NumberOfFrames BitsAllocated BitsStored HighBit PixelRepresentation
SamplesPerPixel PlanarConfiguration PixelSpacing PixelAspectRatio ImagePositionPatient
ImageOrientationPatient SliceLocation SliceThickness SpacingBetweenSlices
ImagerPixelSpacing NominalScannedPixelSpacing EstimatedRadiographicMagnificationFactor
RescaleSlope RescaleIntercept WindowCenter WindowWidth SmallestImagePixelValue
LargestImagePixelValue SmallestPixelValueInSeries LargestPixelValueInSeries
PixelPaddingValue PixelPaddingRangeLimit LossyImageCompressionRatio
SeriesNumber InstanceNumber AcquisitionNumber TemporalPositionIdentifier
NumberOfTemporalPositions TemporalResolution ImagesInAcquisition EchoNumbers
KVP DataCollectionDiameter ReconstructionDiameter DistanceSourceToDetector
DistanceSourceToPatient GantryDetectorTilt TableHeight ExposureTime XRayTubeCurrent
Exposure ExposureInuAs GeneratorPower FocalSpots RevolutionTime SingleCollimationWidth
TotalCollimationWidth TableSpeed TableFeedPerRotation SpiralPitchFactor CTDIvol
DataCollectionCenterPatient ReconstructionTargetCenterPatient EstimatedDoseSaving
WaterEquivalentDiameter ReconstructionFieldOfView ReconstructionAngle
ReconstructionPixelSpacing TubeAngle TablePosition ExposureTimeInms XRayTubeCurrentInmA
ExposureInmAs DistanceSourceToDataCollectionCenter CalciumScoringMassFactorDevice
EnergyWeightingFactor XRaySourceIndex XRayDetectorIndex ReferencedXRayDetectorIndex
ReferencedXRaySourceIndex ReferencedPathIndex MultienergyCTPathIndex SwitchingPhaseNumber
EffectiveBinEnergy NominalMaxEnergy NominalMinEnergy MonoenergeticEnergyEquivalent
RepetitionTime EchoTime InversionTime NumberOfAverages ImagingFrequency
MagneticFieldStrength NumberOfPhaseEncodingSteps EchoTrainLength PercentSampling
PercentPhaseFieldOfView PixelBandwidth TriggerTime NominalInterval LowRRValue HighRRValue
IntervalsAcquired IntervalsRejected HeartRate CardiacNumberOfImages TriggerWindow
AcquisitionMatrix FlipAngle SAR dBdt B1rms DiffusionBValue DiffusionGradientOrientation
DiffusionBValueXX DiffusionBValueXY DiffusionBValueXZ DiffusionBValueYY DiffusionBValueYZ
DiffusionBValueZZ EffectiveEchoTime InversionTimes SpatialResolution
MRAcquisitionFrequencyEncodingSteps MRAcquisitionPhaseEncodingStepsInPlane
MRAcquisitionPhaseEncodingStepsOutOfPlane ParallelReductionFactorInPlane
ParallelReductionFactorOutOfPlane ParallelReductionFactorSecondInPlane RFEchoTrainLength
GradientEchoTrainLength AcquisitionDuration FrameAcquisitionDuration TransmitterFrequency
SpecificAbsorptionRateValue GradientOutput NumberOfKSpaceTrajectories
CardiacRRIntervalSpecified RRIntervalTimeNominal ActualCardiacTriggerDelayTime
NominalCardiacTriggerDelayTime NominalPercentageOfCardiacPhase
NominalRespiratoryTriggerDelayTime VelocityEncodingDirection VelocityEncodingMinimumValue
VelocityEncodingMaximumValue SlabThickness SlabOrientation MidSlabPosition
TagAngleFirstAxis TagSpacingFirstDimension TagThickness
TemporalPositionIndex TemporalPositionTimeOffset FrameAcquisitionNumber
InStackPositionNumber DimensionIndexValues InConcatenationNumber
InConcatenationTotalNumber ConcatenationFrameOffsetNumber FrameReferenceTime
ContrastBolusVolume ContrastBolusTotalDose ContrastFlowRate ContrastFlowDuration
ContrastBolusIngredientConcentration ContrastBolusAgentNumber RepresentativeFrameNumber
LUTDescriptor LUTData RealWorldValueLastValueMapped RealWorldValueFirstValueMapped
DoubleFloatRealWorldValueLastValueMapped DoubleFloatRealWorldValueFirstValueMapped
RealWorldValueIntercept RealWorldValueSlope RealWorldValueLUTData
RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor
BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData
GreenPaletteColorLookupTableData BluePaletteColorLookupTableData
SegmentNumber ReferencedSegmentNumber RecommendedDisplayGrayscaleValue
RecommendedDisplayCIELabValue MaximumFractionalValue
ReferencedFrameNumber ReferencedContentItemIdentifier NumericValue FloatingPointValue
RationalNumeratorValue RationalDenominatorValue GraphicData ReferencedTimeOffsets
ReferencedSamplePositions FrameOfReferenceTransformationMatrix
SimpleFrameList CalculatedFrameList
SourceAcquisitionProtocolElementNumber SourceReconstructionProtocolElementNumber
"""

_TERMS: Final = """
ImageType FrameType Modality PatientPosition PatientOrientation BodyPartExamined
Laterality ImageLaterality FrameLaterality PhotometricInterpretation PresentationLUTShape
LossyImageCompression LossyImageCompressionMethod PixelPresentation VolumetricProperties
VolumeBasedCalculationTechnique ComplexImageComponent AcquisitionContrast
ContentQualification AnatomicalOrientationType PresentationIntentType
PixelIntensityRelationship
ScanningSequence SequenceVariant ScanOptions MRAcquisitionType AngioFlag
RotationDirection ExposureModulationType FilterMaterial AcquisitionType
ReconstructionAlgorithm ConvolutionKernelGroup ConstantVolumeFlag FluoroscopyFlag
MultienergyCTAcquisition MultienergySourceTechnique MultienergyDetectorType
DecompositionMethod ContrastBolusIngredient ContrastBolusAgentAdministered
ContrastBolusAgentDetected ContrastBolusAgentPhase ContrastBolusIngredientOpaque
InPlanePhaseEncodingDirection VariableFlipAngleFlag EchoPulseSequence InversionRecovery
FlowCompensation FlowCompensationDirection MultipleSpinEcho MultiPlanarExcitation
PhaseContrast TimeOfFlightContrast Spoiling SteadyStatePulseSequence
EchoPlanarPulseSequence MagnetizationTransfer T2Preparation BloodSignalNulling
SaturationRecovery SpectrallySelectedSuppression SpectrallySelectedExcitation
SpatialPresaturation Tagging OversamplingPhase GeometryOfKSpaceTraversal
SegmentedKSpaceTraversal RectilinearPhaseEncodeReordering PartialFourier
PartialFourierDirection CardiacSynchronizationTechnique CardiacSignalSource
CardiacBeatRejectionTechnique CardiacCyclePosition CoverageOfKSpace KSpaceFiltering
ReceiveCoilType QuadratureReceiveCoil TransmitCoilType MultiCoilElementUsed
ParallelAcquisition ParallelAcquisitionTechnique DiffusionDirectionality
DiffusionAnisotropyType RespiratoryMotionCompensationTechnique RespiratorySignalSource
RespiratoryCyclePosition BulkMotionCompensationTechnique BulkMotionSignalSource
ResonantNucleus ApplicableSafetyStandardAgency OperatingModeType OperatingMode
SpecificAbsorptionRateDefinition GradientOutputType BeatRejectionFlag
DimensionOrganizationType SliceProgressionDirection
BurnedInAnnotation RecognizableVisualFeatures QualityControlImage SyntheticData
SpatialLocationsPreserved SegmentationType SegmentAlgorithmType
SegmentationFractionalType SegmentsOverlap ColorSpace
RelationshipType ValueType ContinuityOfContent GraphicType TemporalRangeType
PixelOriginInterpretation CompletionFlag PreliminaryFlag TemplateIdentifier
MappingResource FrameOfReferenceTransformationMatrixType VOILUTFunction
AcquisitionTimeSynchronized SynchronizationTrigger
"""

_UIDS: Final = """
SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID
SynchronizationFrameOfReferenceUID ReferencedSOPClassUID ReferencedSOPInstanceUID
ReferencedFrameOfReferenceUID DimensionOrganizationUID ConcatenationUID
SOPInstanceUIDOfConcatenationSource IrradiationEventUID AcquisitionUID TrackingUID UID
FiducialUID ObservationUID MultiFrameSourceSOPInstanceUID PaletteColorLookupTableUID
"""

_SEQUENCES: Final = """
SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence PixelMeasuresSequence
PlanePositionSequence PlaneOrientationSequence FrameContentSequence FrameAnatomySequence
FrameVOILUTSequence PixelValueTransformationSequence RealWorldValueMappingSequence
TemporalPositionSequence CardiacSynchronizationSequence RespiratorySynchronizationSequence
DimensionOrganizationSequence DimensionIndexSequence ModalityLUTSequence
CTImageFrameTypeSequence CTAcquisitionTypeSequence CTAcquisitionDetailsSequence
CTTableDynamicsSequence CTGeometrySequence CTReconstructionSequence CTExposureSequence
CTXRayDetailsSequence CTPositionSequence CTAdditionalXRaySourceSequence
XRay3DFrameTypeSequence MultienergyCTAcquisitionSequence
MultienergyCTCharacteristicsSequence
MRImageFrameTypeSequence MREchoSequence MRTimingAndRelatedParametersSequence
MRModifierSequence MRImagingModifierSequence MRFOVGeometrySequence MRAveragesSequence
MRDiffusionSequence MRReceiveCoilSequence MRTransmitCoilSequence
MultiCoilDefinitionSequence MRSpatialSaturationSequence MRMetaboliteMapSequence
MRVelocityEncodingSequence OperatingModeSequence SpecificAbsorptionRateSequence
DiffusionGradientDirectionSequence DiffusionBMatrixSequence
VelocityEncodingAcquisitionSequence IrradiationEventIdentificationSequence
ContrastBolusAgentSequence ContrastBolusUsageSequence
DerivationImageSequence SourceImageSequence ReferencedImageSequence
ReferencedInstanceSequence ReferencedSeriesSequence ReferencedSOPSequence
StudiesContainingOtherReferencedInstancesSequence RelatedSeriesSequence
SourceInstanceSequence ConversionSourceAttributesSequence
ReferencedImageEvidenceSequence SourceImageEvidenceSequence
SegmentSequence SegmentIdentificationSequence SegmentationAlgorithmIdentificationSequence
DerivationAlgorithmSequence UnassignedSharedConvertedAttributesSequence
UnassignedPerFrameConvertedAttributesSequence
RegistrationSequence MatrixRegistrationSequence MatrixSequence
ContentSequence ContentTemplateSequence MeasuredValueSequence
CurrentRequestedProcedureEvidenceSequence PertinentOtherEvidenceSequence
PredecessorDocumentsSequence IdenticalDocumentsSequence
"""

_CODES: Final = """
AnatomicRegionSequence AnatomicRegionModifierSequence PrimaryAnatomicStructureSequence
PrimaryAnatomicStructureModifierSequence ViewCodeSequence ViewModifierCodeSequence
DerivationCodeSequence PurposeOfReferenceCodeSequence ProcedureCodeSequence
PerformedProcedureCodeSequence CTDIPhantomTypeCodeSequence
ContrastBolusAdministrationRouteSequence ContrastBolusIngredientCodeSequence
SegmentedPropertyCategoryCodeSequence SegmentedPropertyTypeCodeSequence
SegmentedPropertyTypeModifierCodeSequence AlgorithmFamilyCodeSequence
AlgorithmNameCodeSequence RegistrationTypeCodeSequence MeasurementUnitsCodeSequence
QuantityDefinitionSequence WaterEquivalentDiameterCalculationMethodCodeSequence
ConceptNameCodeSequence ConceptCodeSequence NumericValueQualifierCodeSequence
MetaboliteMapCodeSequence
"""

_DUMMY_DATE: Final = "19000101"
_DUMMY_TIME: Final = "000000"
# What stands where the standard wants a date or time (PS3.3, type 1 or 1C); empty where
# it wants the element alone (type 2).
_DATES: Final[dict[str, str | None]] = {
    "StudyDate": "", "StudyTime": "", "SeriesDate": None, "SeriesTime": None,
    "AcquisitionDate": None, "AcquisitionTime": None,
    "ContentDate": "", "ContentTime": "",
    "AcquisitionDateTime": f"{_DUMMY_DATE}{_DUMMY_TIME}",
    "FrameAcquisitionDateTime": f"{_DUMMY_DATE}{_DUMMY_TIME}",
    "FrameReferenceDateTime": f"{_DUMMY_DATE}{_DUMMY_TIME}",
    "ObservationDateTime": None, "Date": _DUMMY_DATE, "Time": _DUMMY_TIME,
    "DateTime": f"{_DUMMY_DATE}{_DUMMY_TIME}",
    "ReferencedDateTime": f"{_DUMMY_DATE}{_DUMMY_TIME}",
}  # fmt: skip

_UNKNOWN: Final = "removed"
_WORDS: Final[dict[str, str | None]] = {
    "SeriesDescription": None, "StudyDescription": None, "ProtocolName": None,
    "ConvolutionKernel": _UNKNOWN, "SequenceName": None, "PulseSequenceName": _UNKNOWN,
    "FilterType": None, "ImageFilter": _UNKNOWN, "RescaleType": "US", "StackID": "1",
    "ModalityLUTType": "US", "ImagedNucleus": None, "ReceiveCoilName": _UNKNOWN,
    "TransmitCoilName": _UNKNOWN, "MultiCoilElementName": _UNKNOWN,
    "ContrastBolusAgent": "contrast agent", "ContrastBolusRoute": None,
    "Manufacturer": _UNKNOWN, "ManufacturerModelName": _UNKNOWN,
    "SegmentLabel": "segment", "DimensionDescriptionLabel": None,
    "WindowCenterWidthExplanation": None, "LUTExplanation": _UNKNOWN,
    "ReceiveCoilManufacturerName": "", "TransmitCoilManufacturerName": "",
    "MetaboliteMapDescription": _UNKNOWN, "ContentDescription": "",
    "AlgorithmName": _UNKNOWN, "SegmentAlgorithmName": _UNKNOWN,
}  # fmt: skip

# Replaced whatever they hold, where they are there.
_DUMMIES: Final[dict[str, str]] = {
    "LUTLabel": _UNKNOWN, "AlgorithmVersion": _UNKNOWN, "TextValue": _UNKNOWN,
    "PersonName": _UNKNOWN, "ContentLabel": "REMOVED", "VerificationFlag": "UNVERIFIED",
}  # fmt: skip

_EMPTY: Final = """
PatientBirthDate AccessionNumber StudyID ReferringPhysicianName ContentCreatorName
PositionReferenceIndicator AcquisitionContextSequence
ReferencedPerformedProcedureStepSequence
"""

_DEVICES: Final[dict[str, str | None]] = {
    "DeviceSerialNumber": _UNKNOWN, "SoftwareVersions": _UNKNOWN, "StationName": None,
    "DeviceUID": None, "GantryID": None, "DetectorID": None,
}  # fmt: skip

_PATIENTS: Final[dict[str, str | None]] = {
    "PatientSex": "", "PatientAge": None, "PatientSize": None, "PatientWeight": None,
}  # fmt: skip

_PIXELS: Final = """
PixelData FloatPixelData DoubleFloatPixelData ExtendedOffsetTable
ExtendedOffsetTableLengths EncapsulatedPixelDataValueTotalLength
"""

# What people call a lesion.
_LABELS: Final = "TrackingID"

_TAGS: Final = "DimensionIndexPointer FunctionalGroupPointer FrameIncrementPointer"


@cache
def rules() -> dict[int, Rule]:
    """Return the rules by tag; an element without one is removed."""
    from pydicom.datadict import tag_for_keyword

    groups: dict[Treatment, str] = {
        "number": _NUMBERS, "term": _TERMS, "uid": _UIDS, "items": _SEQUENCES,
        "codes": _CODES, "empty": _EMPTY, "pixels": _PIXELS, "tags": _TAGS,
        "label": _LABELS,
    }  # fmt: skip
    named = {
        keyword: Rule(treatment)
        for treatment, keywords in groups.items()
        for keyword in keywords.split()
    }
    tables: dict[Treatment, dict[str, str | None]] = {
        "date": _DATES, "words": _WORDS, "dummy": dict(_DUMMIES), "device": _DEVICES,
        "patient": _PATIENTS,
    }  # fmt: skip
    for treatment, table in tables.items():
        for keyword, fallback in table.items():
            named[keyword] = Rule(treatment, fallback)
    found = {}
    for keyword, rule in named.items():
        tag = tag_for_keyword(keyword)
        # A dictionary of a later or earlier edition may lack an element.
        if tag is not None:
            found[int(tag)] = rule
    return found
